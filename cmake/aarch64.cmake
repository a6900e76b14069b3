# Cross compiling for aarch64 with Debian's compiler and a root of arm64 packages:
#
#   tests/aarch64/sysroot.sh DIR        (mmdebstrap; no root, no binfmt, no foreign architecture in dpkg)
#   cmake -S . -B build-arm -G Ninja --toolchain cmake/aarch64.cmake -DCOOPER_SYSROOT=DIR
#
# Tests run under qemu-user; those that need what it does not have skip themselves.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES COOPER_SYSROOT)
if(NOT COOPER_SYSROOT)
	message(FATAL_ERROR "give -DCOOPER_SYSROOT=DIR, made by tests/aarch64/sysroot.sh")
endif()
set(CMAKE_SYSROOT ${COOPER_SYSROOT})
set(CMAKE_FIND_ROOT_PATH ${COOPER_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${COOPER_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR} ${COOPER_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${COOPER_SYSROOT}/usr/share/pkgconfig)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${COOPER_SYSROOT})
