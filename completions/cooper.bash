# bash completion for cooper; made by cooper __gen
# shellcheck shell=bash
_cooper() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local opts='' values=''
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W 'build verify lint push pull login logout images tag rmi prune cache save load export ls cat inspect history doctor version help' -- "$cur")
		return
	fi
	case ${COMP_WORDS[1]} in
	build)
		opts='--tag --file --build-arg --target --platform --push --late-push --output --label --annotation --iidfile --digest-file --metadata-file --build-context --secret --ssh --no-cache --no-cache-filter --cache-from --cache-to --cache-repo --cache-key --cache-trust --cache-scope --cache-ttl --explain-cache --pull --network --add-host --allow --cdi-spec-dir --jobs --memory --cpus --pids --timeout --output-limit --max-layer-size --max-layer-entries --max-layer-name --max-layer-ratio --sandbox --user-policy --unsafe-environment --timestamp --compression --compression-level --force-compression --squash --single-layer --check --check-rules --call --dry-run --progress --quiet --authfile --insecure-registry --http1 --root --help'
		values=' --tag -t --build-arg --target --platform --label --annotation --build-context --secret --ssh --no-cache-filter --cache-from --cache-to --cache-repo --cache-trust --cache-scope --cache-ttl --network --add-host --allow --jobs -j --memory -m --cpus --pids --timeout --output-limit --max-layer-size --max-layer-entries --max-layer-name --max-layer-ratio --sandbox --user-policy --unsafe-environment --timestamp --compression --compression-level --check-rules --call --progress --insecure-registry '
		;;
	verify)
		opts='--file --build-arg --target --platform --label --annotation --build-context --secret --ssh --pull --network --allow --jobs --sandbox --timestamp --compression --compression-level --force-compression --squash --single-layer --format --progress --quiet --authfile --insecure-registry --http1 --root --help'
		values=' --build-arg --target --platform --label --annotation --build-context --secret --ssh --network --allow --jobs -j --sandbox --timestamp --compression --compression-level --format --progress --insecure-registry '
		;;
	lint)
		opts='--format --check --build-arg --exit-zero --help'
		values=' --format --check --build-arg '
		;;
	push)
		opts='--digest-file --progress --quiet --authfile --insecure-registry --http1 --root --help'
		values=' --progress --insecure-registry '
		;;
	pull)
		opts='--platform --all-platforms --progress --quiet --authfile --insecure-registry --http1 --root --help'
		values=' --platform --progress --insecure-registry '
		;;
	login)
		opts='--username --password --password-stdin --authfile --insecure-registry --http1 --root --help'
		values=' --username -u --password -p --insecure-registry '
		;;
	logout)
		opts='--authfile --insecure-registry --http1 --root --help'
		values=' --insecure-registry '
		;;
	images)
		opts='--format --no-trunc --quiet --root --help'
		values=' --format '
		;;
	tag)
		opts='--authfile --insecure-registry --http1 --root --help'
		values=' --insecure-registry '
		;;
	rmi)
		opts='--root --help'
		values=' '
		;;
	prune)
		opts='--all --cache-age --keep-cache --root --help'
		values=' --cache-age '
		;;
	cache)
		opts='--cache-repo --max-age --keep-bytes --mounts --dry-run --authfile --insecure-registry --http1 --root --help'
		values=' --cache-repo --max-age --keep-bytes --insecure-registry '
		;;
	save)
		opts='--output --format --platform --progress --quiet --authfile --insecure-registry --http1 --root --help'
		values=' --format --platform --progress --insecure-registry '
		;;
	load)
		opts='--input --quiet --root --help'
		values=' '
		;;
	export)
		opts='--output --platform --authfile --insecure-registry --http1 --root --help'
		values=' --platform --insecure-registry '
		;;
	ls)
		opts='--long --recursive --format --platform --authfile --insecure-registry --http1 --root --help'
		values=' --format --platform --insecure-registry '
		;;
	cat)
		opts='--platform --authfile --insecure-registry --http1 --root --help'
		values=' --platform --insecure-registry '
		;;
	inspect)
		opts='--raw --config --platform --authfile --insecure-registry --http1 --root --help'
		values=' --platform --insecure-registry '
		;;
	history)
		opts='--no-trunc --format --platform --authfile --insecure-registry --http1 --root --help'
		values=' --format --platform --insecure-registry '
		;;
	doctor)
		opts='--json --root --help'
		values=' '
		;;
	version)
		opts='--format --help'
		values=' --format '
		;;
	help)
		opts='--help'
		values=' '
		;;
	esac
	if [[ $values == *" $prev "* ]]; then
		return
	fi
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$opts" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _cooper cooper
