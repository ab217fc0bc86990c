/// \file The thread pool that all models of a process share.
///
/// The functions here form one group of weak symbols, the only ones besides <name>_* that a compiled library
/// leaves visible. The linker (static libraries) or the loader (shared ones) keeps one definition of each for
/// all models. Code and state come from the same definition, so unloading another model's library takes
/// nothing away that a worker still runs. The names carry a version: change it with any change of behaviour.
// SPDX-License-Identifier: MIT
#pragma once
#include <stdint.h>

namespace segc::rt {
constexpr int kMaxThreads = 256;
} // namespace segc::rt

// The definitions are weak, not these declarations: a weak reference would not pull the pool out of an
// archive.
extern "C" {

/// One more user of the pool. Starts workers until `threads` (1 to 256, the caller counts as one) can work
/// together; 0, or the error number of pthread_create, in which case nothing was retained.
int segc_pool_v1_retain(int threads);

/// Starts further workers for a user that retained the pool before; 0 or an error number.
int segc_pool_v1_grow(int threads);

/// One user less; the last one joins all workers.
void segc_pool_v1_release(void);

/// Calls task(context, lane, i) once for each i in [0, count), on the caller (lane 0) and at most lanes - 1
/// workers (lanes 1, 2, ...; one lane is one thread at a time). Returns 0, or what a failed task returned;
/// after a failure, indices not yet begun are skipped. Allocates nothing. Calls from several threads run
/// independently; a caller never waits for workers that others keep busy, it does the work itself.
int segc_pool_v1_for(int lanes, int count, int (*task)(void *context, int lane, int index), void *context);
}
