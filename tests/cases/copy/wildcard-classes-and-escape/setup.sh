printf 1 >a1.txt; printf 1 >c1.txt; printf 1 >b2.txt; printf 1 >'x*.txt'; printf 1 >xx.txt; printf 1 >'y[1.txt'
mkdir -p p/q; printf 1 >p/in; printf 1 >p/q/in
