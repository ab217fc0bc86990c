/// \file What is right and wrong among threads, streams and captures, by the driver API's reference.
// SPDX-License-Identifier: MIT
#include "test/unit/fake_cuda_state.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace segc::fake {

State state;

namespace {

std::atomic_flag lock = ATOMIC_FLAG_INIT;

struct Hook {
  std::string call;
  void (*function)(void *) = nullptr;
  void *user = nullptr;
} hook;

/// The default stream by its other name, CU_STREAM_LEGACY.
void *legacy() { return reinterpret_cast<void *>(1); }

} // namespace

long setting(const char *name, long fallback) {
  const char *text = std::getenv("FAKE_CUDA");
  const char *found = text ? std::strstr(text, (std::string(name) + "=").c_str()) : nullptr;
  return found ? std::atol(found + std::strlen(name) + 1) : fallback;
}

Thread &thread() {
  static thread_local Thread own;
  return own;
}

Thread::~Thread() {
  if (contexts.empty())
    return;
  Call call("");
  state.misuse("a thread ends with contexts that it has pushed");
}

Call::Call(const char *name) : name(name) {
  while (lock.test_and_set(std::memory_order_acquire))
    std::this_thread::yield();
}
Call::~Call() {
  const Hook due = hook.function && hook.call == name ? std::exchange(hook, {}) : Hook();
  lock.clear(std::memory_order_release);
  if (due.function)
    due.function(due.user);
}

State::State() { streams[legacy()] = {madeStreams++, true, {}, {}, {}, {}, {}}; }

State::~State() {
  std::fprintf(
      stderr,
      "fake cuda: %d modules, %d launches; %zu modules, %zu blocks and %zu streams left, %d misuses\n", loads,
      launches, modules.size(), blocks.size(), streams.size() - 1, misuses);
  std::fprintf(stderr, "fake cuda: %d replays; %zu graphs and %zu pinned blocks left\n", replays,
               graphs.size() + executables.size() + captures.size(), pinned.size());
}

void State::misuse(const std::string &what) {
  ++misuses;
  std::fprintf(stderr, "fake cuda: misuse: %s\n", what.c_str());
}

int State::check(bool ok, int error) {
  const std::vector<void *> &contexts = thread().contexts;
  if (contexts.empty() || contexts.back() != this) {
    misuse("a call while our context is not the thread's current one");
    return kInvalidContext;
  }
  if (!ok)
    misuse("a call that CUDA refuses with error " + std::to_string(error));
  return ok ? 0 : error;
}

int State::checkUnsafe(bool ok, int error) {
  bool forbidden = false;
  for (auto &[stream, capture] : captures) {
    const bool own = capture.thread == std::this_thread::get_id() && capture.mode != kRelaxed;
    const bool all = capture.mode == kGlobal && thread().mode == kGlobal;
    if (thread().mode == kRelaxed || !(own || all))
      continue;
    capture.broken = forbidden = true;
  }
  if (!forbidden)
    return check(ok, error);
  misuse("not while a graph is made");
  return kCaptureUnsupported;
}

Stream *State::findStream(void *stream) {
  const auto found = streams.find(stream ? stream : legacy());
  if (found != streams.end())
    return &found->second;
  misuse("a stream that was destroyed, or never made");
  return nullptr;
}

int State::submit(void *handle, const Work &work) {
  Stream *const stream = findStream(handle);
  if (!stream)
    return kInvalidHandle;
  const auto capture = captures.find(handle);
  if (capture != captures.end()) {
    if (capture->second.thread != std::this_thread::get_id())
      misuse("work of another thread in a stream that is captured");
    capture->second.graph->push_back(work);
    return check(true);
  }
  if (stream == &streams[legacy()])
    for (auto &[other, one] : captures)
      if (streams[other].blocking) {
        one.broken = true;
        misuse("the default stream would wait for one that is captured");
        return kCaptureImplicit;
      }
  return work(*stream);
}

void State::arrive(Stream &stream) {
  for (const auto &[to, bytes] : stream.arriving)
    std::memcpy(to, bytes.data(), bytes.size());
  for (const auto &[from, bytes] : stream.sent)
    if (std::memcmp(from, bytes.data(), bytes.size()) != 0)
      misuse("memory that was being sent has changed");
  stream = {stream.number, stream.blocking, {}, {}, {}, {}, {}};
}

void State::endStream(void *handle) {
  if (captures.count(handle))
    misuse("a stream is destroyed while it is captured");
  if (Stream *const stream = findStream(handle)) {
    arrive(*stream);
    streams.erase(handle);
  }
}

int State::beginCapture(void *handle, int mode) {
  if (!findStream(handle))
    return kInvalidHandle;
  if (captures.count(handle) || !handle || handle == legacy())
    return kCaptureUnsupported; // not the default stream, and none twice; nothing is broken by asking
  captures[handle] = {new Graph, std::this_thread::get_id(), mode, false};
  return check(true);
}

int State::endCapture(void *handle, Graph **graph) {
  *graph = nullptr;
  const auto found = captures.find(handle);
  if (found == captures.end())
    return check(false);
  const Capture capture = found->second;
  if (capture.mode != kRelaxed && capture.thread != std::this_thread::get_id())
    return check(false, kWrongThread);
  captures.erase(found);
  if (!capture.broken)
    graphs.insert(*graph = capture.graph);
  else
    delete capture.graph;
  return capture.broken ? kCaptureInvalidated : check(true);
}

int State::replay(Graph *executable, void *handle) {
  Stream *const stream = findStream(handle);
  if (!stream)
    return kInvalidHandle;
  for (const auto &[other, one] : streams)
    if (&one != stream && one.executables.count(executable))
      misuse("a graph is replayed in two streams at once");
  ++replays;
  stream->executables.insert(executable);
  int error = 0;
  for (size_t i = 0; i < executable->size() && !error; ++i)
    error = (*executable)[i](*stream);
  return error;
}

int State::release(Address at) {
  for (const auto &[handle, stream] : streams)
    if (stream.blocks.count(at))
      misuse("memory is freed while stream " + std::to_string(stream.number) + " works on it");
  const auto found = blocks.find(at);
  const int error = checkUnsafe(found != blocks.end());
  if (found == blocks.end())
    return error;
  used -= found->second.bytes;
  blocks.erase(found);
  std::free(reinterpret_cast<void *>(at));
  return error;
}

int State::releasePinned(char *memory) {
  const auto found = pinned.find(memory);
  const int error = checkUnsafe(found != pinned.end());
  if (found == pinned.end())
    return error;
  const auto meets = [&](const char *at) { return at >= memory && at < memory + found->second; };
  for (const auto &[handle, stream] : streams) {
    bool busy = false;
    for (const auto &[to, bytes] : stream.arriving)
      busy |= meets(to);
    for (const auto &[from, bytes] : stream.sent)
      busy |= meets(from);
    if (busy)
      misuse("pinned memory is freed while stream " + std::to_string(stream.number) + " copies");
  }
  pinnedBytes -= found->second;
  pinned.erase(found);
  std::free(memory);
  return error;
}

int State::unload(Module *module) {
  for (const auto &[handle, stream] : streams)
    if (stream.modules.count(module))
      misuse("code is unloaded while stream " + std::to_string(stream.number) + " runs it");
  for (auto at = modules.begin(); at != modules.end(); ++at)
    if (at->get() == module) {
      modules.erase(at);
      return checkUnsafe(true);
    }
  return check(false, kInvalidHandle);
}

Function *State::findFunction(void *function) {
  for (const auto &module : modules)
    for (auto &[name, one] : module->functions)
      if (&one == function)
        return &one;
  misuse("a function of code that is not loaded");
  return nullptr;
}

std::map<Address, State::Block>::const_iterator State::blockOf(Address at) const {
  auto after = blocks.upper_bound(at);
  if (after == blocks.begin())
    return blocks.end();
  --after;
  return at < after->first + after->second.bytes ? after : blocks.end();
}

bool State::owns(Address at, size_t bytes) const {
  const auto block = blockOf(at);
  return block != blocks.end() && at + bytes <= block->first + block->second.bytes;
}

void State::touch(Stream &stream, Address at) const {
  const auto block = blockOf(at);
  if (block != blocks.end())
    stream.blocks.insert(block->first);
}

/// A place behind a block's last byte counts as the block's: views without pixels may begin there.
std::string State::placeOf(Address at) const {
  auto after = blocks.upper_bound(at);
  if (after == blocks.begin())
    return "nowhere";
  const auto &[begin, block] = *std::prev(after);
  return at <= begin + block.bytes ? std::to_string(block.number) + "+" + std::to_string(at - begin)
                                   : "nowhere";
}

bool State::isPinned(const void *at, size_t bytes) const {
  const char *const first = static_cast<const char *>(at);
  auto after = pinned.upper_bound(first);
  return after != pinned.begin() && first + bytes <= std::prev(after)->first + std::prev(after)->second;
}

void trace(const char *what, const std::vector<std::string> &words) {
  if (!setting("trace", 0))
    return;
  std::string &noted = thread().noted;
  noted += what;
  for (const std::string &word : words)
    noted += " " + word;
  noted += "\n";
}

} // namespace segc::fake

using namespace segc::fake;

extern "C" {

/// The next time that a thread has made this call of the driver it does this, out of the lock, before the
/// call returns: a test's way to let something happen just then.
void fake_cuda_when(const char *call, void (*function)(void *), void *user) {
  Call locked("");
  hook = {call, function, user};
}
}
