/*
 * Included ahead of every kernel source by the Makefile: every symbol, declared or defined, is
 * hidden, so position-independent code reaches it pc-relative and the image needs no GOT.
 */
#pragma once

#pragma GCC visibility push(hidden)
