/// \file The worker process that compiles kernels, and what it and its parent say to each other.
///
/// A message is a length (8 bytes, little endian) and that many bytes: a job from the parent, an answer from
/// the worker. A worker takes jobs until its end of the connection (descriptor 0) is closed.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Compile.h"
#include <functional>
#include <optional>
#include <string>
#include <variant>

namespace segc {

/// An artifact, or a sentence saying why there is none.
using KernelOutcome = std::variant<schedules::KernelArtifact, std::string>;
using KernelCompiler = std::function<KernelOutcome(const schedules::KernelJob &)>;

/// A job as text, four lines "symbol", "problem", "schedule", "isa": message, cache key and job file at once.
std::string encodeJob(const schedules::KernelJob &job);
/// The inverse; nothing if the text is not a job.
std::optional<schedules::KernelJob> decodeJob(const std::string &text);

/// Object and scratch bytes, or the error; the readable parts of an artifact do not travel.
std::string encodeOutcome(const KernelOutcome &outcome);
std::optional<KernelOutcome> decodeOutcome(const std::string &bytes);

/// One message as it goes over the wire.
std::string frame(const std::string &message);

/// The child's main, given the arguments from "--kernel-worker" on: answers jobs on descriptor 0 until it is
/// closed. With a further argument it compiles the job in that file in this process and says so on stdout:
/// for debuggers. Returns the exit status. `compile` replaces the compiler, for tests.
int runKernelWorker(int argc, char **argv, const KernelCompiler &compile = nullptr);

} // namespace segc
