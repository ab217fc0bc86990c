/// \file What the driver of fake_cuda.cpp knows: memory, streams with work under way, captures, graphs, code.
///
/// One lock for all calls. Work is done when it is queued, but what is fetched arrives when the stream is
/// waited for, and until then whatever the work touches counts as in use.
// SPDX-License-Identifier: MIT
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace segc::fake {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kNoBinary = 209,
              kInvalidHandle = 400, kCaptureUnsupported = 900, kCaptureInvalidated = 901,
              kCaptureImplicit = 906, kWrongThread = 908;
constexpr int kGlobal = 0, kThreadLocal = 1, kRelaxed = 2; ///< CU_STREAM_CAPTURE_MODE_...

/// A number of $FAKE_CUDA.
long setting(const char *name, long fallback);

using Address = unsigned long long;

/// What a thread has: its contexts, the last one current, how it takes captures, what it did to the device.
struct Thread {
  std::vector<void *> contexts;
  int mode = kGlobal;
  std::string noted, taken;
  ~Thread();
};
Thread &thread();

struct Module;

/// A stream, with what its work uses until it is waited for.
struct Stream {
  int number;
  bool blocking; ///< the default stream waits for it, and it for the default stream
  /// Of the host's memory: what has come, and what was sent as it was then.
  std::vector<std::pair<char *, std::string>> arriving;
  std::vector<std::pair<const char *, std::string>> sent;
  std::set<Address> blocks;
  std::set<const void *> executables;
  std::set<const Module *> modules;
};

/// Something done to the device in a stream, returning an error.
using Work = std::function<int(Stream &)>;
using Graph = std::vector<Work>;

struct Capture {
  Graph *graph;
  std::thread::id thread;
  int mode;
  bool broken;
};

struct Module;
struct Function {
  Module *module;
  const char *entry;               ///< ".entry name(" in the code
  unsigned sharedBytes = 48 << 10; ///< that it may have
};
struct Module {
  const char *code;
  std::map<std::string, Function> functions;
};

struct State {
  struct Block {
    size_t bytes;
    int number;
  };
  std::map<Address, Block> blocks;
  std::map<const char *, size_t> pinned;
  std::map<void *, Stream> streams;
  std::map<void *, Capture> captures; ///< by stream
  std::set<Graph *> graphs, executables;
  std::set<std::unique_ptr<Module>> modules;
  size_t used = 0, pinnedBytes = 0;
  int otherContext = 0;
  int madeBlocks = 0, madeStreams = 0, loads = 0, launches = 0, replays = 0, misuses = 0;
  int plainLaunches = 0;

  State();
  ~State();

  /// Counts something that no program may do, and says what.
  void misuse(const std::string &what);
  /// 0 where our context is current and the call is right, or else an error, which is a misuse.
  int check(bool ok, int error = kInvalidValue);
  /// The same for calls that CUDA names potentially unsafe while a graph is made: they break the captures
  /// that forbid them to this thread.
  int checkUnsafe(bool ok, int error = kInvalidValue);

  /// A stream that lives, or null, a misuse.
  Stream *findStream(void *stream);
  /// Does the work now, or notes it while the stream is captured.
  int submit(void *stream, const Work &work);
  /// The stream's end: what was fetched arrives, what was sent must not have changed, nothing is in use.
  void arrive(Stream &stream);
  void endStream(void *stream);
  /// Begins, or ends and returns, a capture; an error otherwise.
  int beginCapture(void *stream, int mode);
  int endCapture(void *stream, Graph **graph);
  int replay(Graph *executable, void *stream);

  int release(Address at);
  int releasePinned(char *memory);
  int unload(Module *module);
  Function *findFunction(void *function);

  /// Whether these bytes lie in one block that was given away.
  bool owns(Address at, size_t bytes) const;
  /// The block that holds this byte; the end if there is none.
  std::map<Address, Block>::const_iterator blockOf(Address at) const;
  /// Notes that the stream's work uses the memory around `at`.
  void touch(Stream &stream, Address at) const;
  /// "block+offset", or "nowhere".
  std::string placeOf(Address at) const;
  bool isPinned(const void *at, size_t bytes) const;
};
extern State state;

/// Notes a line of what is done to the device, for this thread; only with "trace=1".
void trace(const char *what, const std::vector<std::string> &words);

/// One call of the driver by one thread at a time. At its end, out of the lock, it does what was asked for by
/// fake_cuda_when(), once. No mutex of the system, in which ThreadSanitizer would see an order between
/// what the callers do.
class Call {
public:
  explicit Call(const char *name);
  ~Call();
  Call(const Call &) = delete;

private:
  const char *name;
};

} // namespace segc::fake
