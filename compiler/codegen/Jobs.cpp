/// \file The parent's side: one loop over poll() that hands jobs to worker processes and collects answers.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Jobs.h"
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace segc {
namespace {

using Clock = std::chrono::steady_clock;
using schedules::KernelArtifact;
using schedules::KernelJob;

/// What a worker may take at its peak, as a rule; decides how many run on a machine with little memory.
constexpr uint64_t kWorkerBytes = uint64_t(768) << 20;

unsigned defaultWorkers() {
  const uint64_t memory = uint64_t(std::max(0L, sysconf(_SC_PHYS_PAGES))) * sysconf(_SC_PAGESIZE);
  const unsigned fit = std::max<uint64_t>(1, memory / kWorkerBytes);
  return std::max(1u, std::min(std::thread::hardware_concurrency(), fit));
}

/// One distinct job.
struct Task {
  const KernelJob *job;
  std::string text;
  KernelArtifact artifact;
  bool retried = false;
};

/// A worker process and what it is doing. Destruction kills the process and all it started.
class Worker {
public:
  /// Null with `error` set where no process can be started.
  static std::unique_ptr<Worker> start(const std::string &executable, std::string &error) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
      error = std::string("no connection to a kernel worker: ") + std::strerror(errno);
      return nullptr;
    }
    std::unique_ptr<Worker> worker(new Worker);
    worker->connection = pair[0];
    worker->printed = memfd_create("segc-worker", MFD_CLOEXEC);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pair[1], 0);
    // Anything printed is kept for the message in case the worker dies; nothing of it may reach the answers.
    posix_spawn_file_actions_adddup2(&actions, worker->printed, 1);
    posix_spawn_file_actions_adddup2(&actions, worker->printed, 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP); // so that kill() reaches its children too
    posix_spawnattr_setpgroup(&attributes, 0);
    char flag[] = "--kernel-worker";
    std::string program = executable;
    char *argv[] = {program.data(), flag, nullptr};
    const int failed = posix_spawn(&worker->pid, program.c_str(), &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(pair[1]);
    if (!failed)
      return worker;
    worker->pid = -1;
    error = "cannot start the kernel worker '" + executable + "': " + std::strerror(failed);
    return nullptr;
  }

  Worker(const Worker &) = delete;
  ~Worker() {
    close(connection);
    if (pid > 0) {
      kill(-pid, SIGKILL);
      if (!ended)
        waitpid(pid, &status, 0);
    }
    close(printed);
  }

  void begin(Task *next, Clock::time_point until) {
    task = next;
    deadline = until;
    received.clear();
    const std::string message = frame(task->text);
    for (size_t sent = 0; sent < message.size();) {
      const ssize_t n = send(connection, message.data() + sent, message.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno != EINTR)
        return; // it died; receive() will notice
      sent += n > 0 ? n : 0;
    }
  }

  /// Takes what has arrived. False if the worker closed the connection.
  bool receive() {
    char chunk[65536];
    const ssize_t n = recv(connection, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0)
      return errno == EAGAIN || errno == EINTR;
    received.append(chunk, n);
    return n > 0;
  }

  /// The answer, once it is complete.
  std::optional<KernelOutcome> answer() const {
    uint64_t size;
    if (received.size() < sizeof size)
      return std::nullopt;
    std::memcpy(&size, received.data(), sizeof size);
    if (received.size() - sizeof size < size)
      return std::nullopt;
    auto outcome = decodeOutcome(received.substr(sizeof size, size));
    return outcome ? outcome : KernelOutcome("the worker's answer cannot be read");
  }

  bool hasEnded() {
    ended = ended || waitpid(pid, &status, WNOHANG) == pid;
    return ended;
  }

  /// How it ended and the last of what it printed; for a worker that closed its connection.
  std::string lastWords() {
    if (!ended)
      ended = waitpid(pid, &status, 0) == pid;
    std::string text = WIFSIGNALED(status)
                           ? "the worker ended with signal " + std::to_string(WTERMSIG(status))
                           : "the worker ended with status " + std::to_string(WEXITSTATUS(status));
    constexpr off_t kMost = 2000;
    const off_t size = lseek(printed, 0, SEEK_END);
    std::string tail(std::max<off_t>(0, std::min(size, kMost)), '\0');
    const ssize_t n = pread(printed, tail.data(), tail.size(), size - off_t(tail.size()));
    tail.resize(std::max<ssize_t>(n, 0));
    return tail.empty() ? text : text + ":\n" + tail;
  }

  int connection = -1;
  Task *task = nullptr;
  Clock::time_point deadline;

private:
  Worker() = default;
  pid_t pid = -1;
  int printed = -1, status = 0;
  bool ended = false;
  std::string received;
};

/// Writes the file that repeats a failed job; its name is the job's hash, so that repeated failures use one.
std::string diagnose(const Task &task, const std::string &reason) {
  std::error_code error;
  const auto file = std::filesystem::temp_directory_path(error) /
                    ("segc-kernel-" + sha256(task.text).substr(0, 16) + ".job");
  std::ofstream out(file, std::ios::binary);
  out << task.text;
  out.close();
  const std::string how =
      out ? "segc --kernel-worker " + file.string() : "a job file with these lines:\n" + task.text;
  return "kernel '" + task.job->problem + "', schedule '" + task.job->schedule + "' (" +
         schedules::name(task.job->isa) + "): " + reason + "\n  to repeat it: " + how;
}

/// Winograd's kernels take several times as long as all others: they come first, so that no worker begins one
/// when the others are about to end.
bool takesLong(const Task *task) {
  return task->job->schedule.find("winograd") != std::string::npos ||
         task->job->problem.find("winograd") != std::string::npos;
}

class Scheduler {
public:
  Scheduler(std::deque<Task *> waiting, const JobOptions &options)
      : waiting(std::move(waiting)), options(options),
        limit(options.workers ? options.workers : defaultWorkers()) {}

  /// Runs all tasks; `done` gets each finished one. Returns the error, or nothing.
  template <typename Done> std::string run(const Done &done) {
    while (!waiting.empty() || !suspects.empty() || busy() > 0) {
      if (std::string error = assign(); !error.empty())
        return error;
      std::vector<pollfd> fds;
      for (const auto &worker : workers)
        fds.push_back({worker->connection, POLLIN, 0});
      // A second at most: what a dying worker had started may keep the connection open.
      if (poll(fds.data(), fds.size(), 1000) < 0 && errno != EINTR)
        return std::string("waiting for kernel workers failed: ") + std::strerror(errno);
      for (size_t i = workers.size(); i-- > 0;)
        if (std::string error = step(i, fds[i].revents, done); !error.empty())
          return error;
    }
    return "";
  }

private:
  size_t busy() const {
    return std::count_if(workers.begin(), workers.end(), [](const auto &worker) { return worker->task; });
  }

  std::string assign() {
    while (!waiting.empty() && busy() < limit)
      if (std::string error = give(waiting); !error.empty())
        return error;
    if (waiting.empty() && busy() == 0 && !suspects.empty())
      return give(suspects);
    return "";
  }

  std::string give(std::deque<Task *> &from) {
    auto idle =
        std::find_if(workers.begin(), workers.end(), [](const auto &worker) { return !worker->task; });
    if (idle == workers.end()) {
      std::string error;
      auto worker = Worker::start(options.executable, error);
      if (!worker)
        return error;
      idle = workers.insert(workers.end(), std::move(worker));
    }
    (*idle)->begin(from.front(), Clock::now() + std::chrono::seconds(options.timeoutSeconds));
    from.pop_front();
    return "";
  }

  template <typename Done> std::string step(size_t index, short events, const Done &done) {
    Worker &worker = *workers[index];
    const bool open = events ? worker.receive() : !worker.hasEnded();
    Task *task = worker.task;
    if (!task) {
      if (!open)
        workers.erase(workers.begin() + index);
      return "";
    }
    if (auto outcome = worker.answer()) {
      worker.task = nullptr;
      if (auto *error = std::get_if<std::string>(&*outcome))
        return diagnose(*task, *error);
      task->artifact = std::move(std::get<KernelArtifact>(*outcome));
      done(*task);
      return "";
    }
    if (open && Clock::now() < worker.deadline)
      return "";
    if (open)
      return diagnose(*task, "no result after " + std::to_string(options.timeoutSeconds) + " seconds");
    const std::string reason = worker.lastWords();
    workers.erase(workers.begin() + index);
    if (task->retried)
      return diagnose(*task, reason);
    task->retried = true;
    suspects.push_back(task);
    return "";
  }

  std::deque<Task *> waiting, suspects; ///< suspects: their worker died, they are tried again alone
  const JobOptions &options;
  const size_t limit;
  std::vector<std::unique_ptr<Worker>> workers;
};

} // namespace

std::variant<CompiledKernels, std::string> compileKernels(const std::vector<KernelJob> &jobs,
                                                          const JobOptions &options) {
  CompiledKernels result;
  Cache cache(options.cacheDirectory, kernelBuildId());
  std::deque<Task> tasks; // references stay valid
  std::map<std::string, Task *> known;
  std::vector<Task *> taskOf;
  std::deque<Task *> waiting;
  for (const KernelJob &job : jobs) {
    const std::string text = encodeJob(job);
    auto [entry, isNew] = known.try_emplace(text, nullptr);
    if (isNew) {
      tasks.push_back({&job, text, {}});
      Task &task = tasks.back();
      entry->second = &task;
      const auto stored = cache.load(text);
      auto outcome = stored ? decodeOutcome(*stored) : std::nullopt;
      if (outcome && std::holds_alternative<KernelArtifact>(*outcome)) {
        task.artifact = std::move(std::get<KernelArtifact>(*outcome));
        ++result.cached;
      } else {
        waiting.push_back(&task);
      }
    }
    taskOf.push_back(entry->second);
  }
  std::stable_partition(waiting.begin(), waiting.end(), takesLong);
  const std::string error = Scheduler(std::move(waiting), options).run([&](const Task &task) {
    cache.store(task.text, encodeOutcome(task.artifact));
    ++result.compiled;
  });
  if (!error.empty())
    return error;
  for (const Task *task : taskOf)
    result.artifacts.push_back(task->artifact);
  return result;
}

} // namespace segc
