/* SPDX-License-Identifier: MIT
 *
 * sockets.h — names of unix sockets.
 */
#pragma once
#include "files.h"

long h_bind(struct call *c);
long h_connect(struct call *c);
long h_sendto(struct call *c);
long h_sendmsg(struct call *c);
long h_sendmmsg(struct call *c);
long h_sockname(struct call *c);
