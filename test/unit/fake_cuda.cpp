/// \file A libcuda.so.1 without a GPU: memory is the host's, launches do nothing but are counted and checked.
///
/// FAKE_CUDA holds what is wrong with it: "version=10020", "devices=0", "capability=75", "memory=1000" (bytes
/// it gives), "init=100", "module=218", "launch=701", "instantiate=801", "attribute=1" (error codes). With
/// "trace=1" it notes what is done to the device, by itself or in a graph, with addresses as block + offset,
/// for fake_cuda_take_trace(); with "cores=1" it says on stderr how each kernel on tensor cores is launched.
/// At the end it says there what was done.
// SPDX-License-Identifier: MIT
#include "runtime/core/TensorCoreArguments.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

constexpr int kInvalidValue = 1, kOutOfMemory = 2, kInvalidContext = 201, kInvalidHandle = 400,
              kNoBinary = 209;

long setting(const char *name, long fallback) {
  const char *text = std::getenv("FAKE_CUDA");
  const char *found = text ? std::strstr(text, (std::string(name) + "=").c_str()) : nullptr;
  return found ? std::atol(found + std::strlen(name) + 1) : fallback;
}

/// Something done to the device, returning an error.
using Work = std::function<int()>;
using Graph = std::vector<Work>;

struct State {
  struct Block {
    size_t bytes;
    int number;
  };
  std::map<unsigned long long, Block> blocks;
  std::set<Graph *> graphs, executables;
  Graph *capture = nullptr;
  std::map<void *, int> streamNumbers;
  void *graphStream = nullptr; ///< in which a graph is replayed
  std::map<const char *, size_t> pinned;
  /// Of the host's memory: what has come, and what was sent as it was then; until the stream is waited for.
  std::vector<std::pair<char *, std::string>> arriving;
  std::vector<std::pair<const char *, std::string>> sent;
  std::string noted, taken;
  std::map<void *, unsigned> sharedBytes; ///< that a kernel has asked for
  size_t used = 0;
  int depth = 0, streams = 0, modules = 0, loaded = 0, launches = 0, replays = 0, misuses = 0, made = 0;
  ~State() {
    std::fprintf(
        stderr,
        "fake cuda: %d modules, %d launches; %d modules, %zu blocks and %d streams left, %d misuses\n",
        modules, launches, loaded, blocks.size(), streams, misuses);
    std::fprintf(stderr, "fake cuda: %d replays; %zu graphs and %zu pinned blocks left\n", replays,
                 graphs.size() + executables.size() + (capture ? 1 : 0), pinned.size());
  }
  /// Does the work, or notes it while a graph is made.
  int submit(const Work &work) {
    if (!capture)
      return work();
    capture->push_back(work);
    return 0;
  }
  const char *isPinned(const void *at, size_t bytes) {
    const char *const first = static_cast<const char *>(at);
    auto after = pinned.upper_bound(first);
    const bool inside =
        after != pinned.begin() && first + bytes <= std::prev(after)->first + std::prev(after)->second;
    return inside ? "pinned" : "pageable";
  }
  /// Where work for this stream is done: that of a graph goes where the graph is replayed.
  std::string nameOf(void *stream) const {
    return "on " + std::to_string(streamNumbers.at(graphStream ? graphStream : stream));
  }
  /// The stream's end: what was fetched arrives, what was sent must not have changed.
  void arrive() {
    for (const auto &[to, bytes] : arriving)
      std::memcpy(to, bytes.data(), bytes.size());
    for (const auto &[from, bytes] : sent)
      misuses += std::memcmp(from, bytes.data(), bytes.size()) != 0;
    arriving.clear();
    sent.clear();
  }
  std::string placeOf(unsigned long long at) {
    auto after = blocks.upper_bound(at);
    if (after == blocks.begin())
      return "nowhere";
    const auto &[begin, block] = *std::prev(after);
    return at <= begin + block.bytes ? std::to_string(block.number) + "+" + std::to_string(at - begin)
                                     : "nowhere";
  }
  /// Whether these bytes lie in one block that was given away.
  bool owns(unsigned long long at, size_t bytes) {
    auto after = blocks.upper_bound(at);
    return after != blocks.begin() && at + bytes <= std::prev(after)->first + std::prev(after)->second.bytes;
  }
  int check(bool ok, int error = kInvalidValue) {
    misuses += !ok || depth != 1;
    return depth != 1 ? kInvalidContext : ok ? 0 : error;
  }
  /// The same for what is forbidden while a graph is made, which it ends.
  int checkOutside(bool ok) {
    if (capture)
      std::fprintf(stderr, "fake cuda: not while a graph is made\n");
    return check(ok && !capture);
  }
} state;

/// "name" of ".entry name(".
std::string entryName(const char *entry) {
  entry += std::strlen(".entry ");
  return std::string(entry, std::strchr(entry, '('));
}

/// Bytes of the structure that is a kernel's only argument; 0 if it takes others.
size_t structureBytes(const char *entry) {
  const char *parameter = entry ? std::strstr(entry, ".param ") : nullptr;
  unsigned align = 0, bytes = 0;
  char name[400];
  return parameter && std::sscanf(parameter, ".param .align %u .b8 %399[^[][%u]", &align, name, &bytes) == 3
             ? bytes
             : 0;
}

/// What a kernel on tensor cores reads and writes first and last lies in memory that was given away, 16 bytes
/// at aligned places. Weight gradients have partial sums in place of weights.
bool ownsTensors(const segc::tensorcore::Arguments &a) {
  auto octets = [](const segc::tensorcore::View &v, int n, int h, int w) {
    return (n - 1L) * v.image + (h - 1L) * v.row + (w - 1L) * v.pixel;
  };
  auto owned = [&](const void *at, long offset) {
    const auto address = reinterpret_cast<unsigned long long>(at);
    return address % 16 == 0 && state.owns(address, size_t(offset) + 16);
  };
  auto none = [&](const void *at, long offset) { return !at || owned(at, offset); };
  // In 16 bits an octet has 16 bytes, in f32 more.
  const bool phases = a.inHeight >= 1 << 29; // any pixel counts as being there
  bool good = owned(a.x[0].data, phases ? 0 : 16 * octets(a.x[0], a.images, a.inHeight, a.inWidth)) &&
              owned(a.y.data, 16 * octets(a.y, a.images, a.height, a.width)) && none(a.weights, 0) &&
              none(a.partial, 0) && (a.weights || a.partial) && none(a.pooled.data, 0);
  for (const segc::tensorcore::View &tensor : a.tensors)
    good = good && none(tensor.data, 16 * octets(tensor, a.images, a.height, a.width));
  for (const float *vector : a.vectors)
    good = good && none(vector, 0);
  return good;
}

void trace(const char *what, const std::vector<std::string> &words) {
  if (!setting("trace", 0))
    return;
  state.noted += what;
  for (const std::string &word : words)
    state.noted += " " + word;
  state.noted += "\n";
}

/// The bytes of each of an entry's parameters, read off its PTX: ".entry name(\n.param .u64 .ptr … name_0,
/// …)".
std::vector<size_t> parametersOf(const char *entry) {
  std::vector<size_t> sizes;
  const std::string list(entry, std::strcspn(entry, ")"));
  for (size_t at = 0; (at = list.find(".param .", at)) != std::string::npos; ++at)
    sizes.push_back(size_t(std::atoi(list.c_str() + at + std::strlen(".param .b"))) / 8);
  return sizes;
}

} // namespace

extern "C" {

/// What was done since the last call, a line each.
const char *fake_cuda_take_trace() {
  state.taken = std::exchange(state.noted, "");
  return state.taken.c_str();
}
int fake_cuda_replays() { return state.replays; }
int fake_cuda_misuses() { return state.misuses; }
/// Of any kind, and an unfinished one; blocks that were pinned.
int fake_cuda_pinned() { return int(state.pinned.size()); }
int fake_cuda_graphs() {
  return int(state.graphs.size() + state.executables.size()) + (state.capture ? 1 : 0);
}

int cuInit(unsigned) { return int(setting("init", 0)); }
int cuDriverGetVersion(int *version) { return *version = int(setting("version", 12040)), 0; }
int cuDeviceGetCount(int *count) { return *count = int(setting("devices", 1)), 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int size, int) { return std::snprintf(name, size_t(size), "Fake GPU"), 0; }
int cuDeviceGetAttribute(int *value, int attribute, int) {
  const int capability = int(setting("capability", 90));
  // Clocks in kHz, processors, bits of the memory's bus: those of an H200.
  static const std::map<int, int> known = {{13, 1980000}, {16, 132}, {36, 3201000}, {37, 6144}};
  const auto found = known.find(attribute);
  *value = found != known.end() ? found->second : attribute == 75 ? capability / 10 : capability % 10;
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) { return *context = &state, 0; }
int cuCtxPushCurrent_v2(void *context) { return ++state.depth, context == &state ? 0 : kInvalidContext; }
int cuCtxPopCurrent_v2(void **context) { return --state.depth, *context = &state, 0; }

int cuMemAlloc_v2(unsigned long long *at, size_t bytes) {
  if (bytes > size_t(setting("memory", 1L << 40)) - state.used)
    return state.check(true) ? kInvalidContext : kOutOfMemory;
  *at = reinterpret_cast<unsigned long long>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  state.blocks[*at] = {bytes, state.made++};
  state.used += bytes;
  return state.checkOutside(bytes > 0);
}
int cuMemFree_v2(unsigned long long at) {
  const int error = state.checkOutside(state.blocks.count(at) == 1);
  state.used -= state.blocks[at].bytes;
  state.blocks.erase(at);
  std::free(reinterpret_cast<void *>(at));
  return error;
}
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
  *memory = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  state.pinned[static_cast<char *>(*memory)] = bytes;
  return state.checkOutside(bytes > 0 && flags == 0);
}
int cuMemFreeHost(void *memory) {
  const bool busy = !state.arriving.empty() || !state.sent.empty();
  const int error = state.checkOutside(state.pinned.erase(static_cast<char *>(memory)) == 1 && !busy);
  std::free(memory);
  return error;
}
int cuMemGetInfo_v2(size_t *left, size_t *total) {
  *total = size_t(setting("memory", 1L << 40));
  return *left = *total - state.used, 0;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes, void *) {
  return state.submit([=] {
    trace("upload", {state.placeOf(to), std::to_string(bytes), state.isPinned(from, bytes)});
    const int error = state.check(state.owns(to, bytes));
    if (error)
      return error;
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    const char *const source = static_cast<const char *>(from);
    state.sent.push_back({source, std::string(source, bytes)});
    return 0;
  });
}
int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes, void *) {
  return state.submit([=] {
    trace("download", {state.placeOf(from), std::to_string(bytes), state.isPinned(to, bytes)});
    const int error = state.check(state.owns(from, bytes));
    if (!error)
      state.arriving.push_back(
          {static_cast<char *>(to), std::string(reinterpret_cast<const char *>(from), bytes)});
    return error;
  });
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, void *) {
  return state.submit([=] {
    trace("copy", {state.placeOf(to), state.placeOf(from), std::to_string(bytes)});
    const int error = state.check(state.owns(to, bytes) && state.owns(from, bytes));
    if (!error)
      std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from), bytes);
    return error;
  });
}
int cuMemsetD2D8Async(unsigned long long to, size_t pitch, unsigned char value, size_t width, size_t rows,
                      void *) {
  return state.submit([=] {
    trace("zero", {state.placeOf(to), std::to_string(pitch), std::to_string(width), std::to_string(rows)});
    const int error =
        state.check(width <= pitch || rows == 1 ? state.owns(to, (rows - 1) * pitch + width) : false);
    for (size_t row = 0; row < rows && !error; ++row)
      std::memset(reinterpret_cast<char *>(to) + row * pitch, value, width);
    return error;
  });
}
int cuStreamCreate(void **stream, unsigned) {
  *stream = new int;
  state.streamNumbers[*stream] = int(state.streamNumbers.size());
  return ++state.streams, state.check(true);
}
int cuStreamGetCtx(void *stream, void **context) {
  if (!state.streamNumbers.count(stream))
    return kInvalidHandle;
  return *context = &state, state.checkOutside(true);
}
/// Device memory is that of blocks; "ordinal=1" puts it on another device. CUDA knows pinned memory too.
int cuPointerGetAttribute(void *value, int attribute, unsigned long long at) {
  constexpr int kMemoryType = 2, kIsManaged = 8, kDeviceOrdinal = 9, kRangeStart = 11, kRangeSize = 12;
  const bool device = state.owns(at, 1);
  if (!device && std::string(state.isPinned(reinterpret_cast<void *>(at), 1)) != "pinned")
    return kInvalidValue;
  const auto block = device ? std::prev(state.blocks.upper_bound(at)) : state.blocks.end();
  if (attribute == kMemoryType)
    *static_cast<unsigned *>(value) = device ? 2 : 1;
  else if (attribute == kIsManaged)
    *static_cast<unsigned *>(value) = unsigned(setting("managed", 0));
  else if (attribute == kDeviceOrdinal)
    *static_cast<int *>(value) = int(setting("ordinal", 0));
  else if (attribute == kRangeStart && device)
    *static_cast<unsigned long long *>(value) = block->first;
  else if (attribute == kRangeSize && device)
    *static_cast<size_t *>(value) = block->second.bytes;
  else
    return kInvalidValue;
  return 0;
}
int cuStreamDestroy_v2(void *stream) {
  const int error = state.checkOutside(state.streamNumbers.erase(stream) == 1);
  delete static_cast<int *>(stream);
  return --state.streams, error;
}
int cuStreamSynchronize(void *stream) {
  trace("wait", {state.nameOf(stream)});
  state.arrive();
  return state.checkOutside(true);
}

int cuStreamBeginCapture_v2(void *, int mode) {
  const int error = state.checkOutside(mode == 1);
  if (!error)
    state.graphs.insert(state.capture = new Graph);
  return error;
}
int cuStreamEndCapture(void *, void **graph) {
  *graph = state.capture;
  state.capture = nullptr;
  return state.check(*graph != nullptr);
}
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
  if (const int error = int(setting("instantiate", 0)))
    return error;
  Graph *const of = static_cast<Graph *>(graph);
  const int error = state.checkOutside(state.graphs.count(of) && flags == 0);
  if (!error)
    *executable = *state.executables.insert(new Graph(*of)).first;
  return error;
}
int cuGraphLaunch(void *executable, void *stream) {
  Graph *const graph = static_cast<Graph *>(executable);
  if (const int error = state.checkOutside(state.executables.count(graph)))
    return error;
  ++state.replays;
  state.graphStream = stream;
  int error = 0;
  for (size_t i = 0; i < graph->size() && !error; ++i)
    error = (*graph)[i]();
  state.graphStream = nullptr;
  return error;
}
int cuGraphExecDestroy(void *executable) {
  Graph *const graph = static_cast<Graph *>(executable);
  const int error = state.check(state.executables.erase(graph) == 1);
  delete graph;
  return error;
}
int cuGraphDestroy(void *of) {
  Graph *const graph = static_cast<Graph *>(of);
  const int error = state.check(state.graphs.erase(graph) == 1);
  delete graph;
  return error;
}

/// What stands for machine code here: four letters, the architecture, then PTX (test/e2e/Inputs/ptxas).
int cuModuleLoadDataEx(void **module, const void *code, unsigned, int *, void **) {
  int architecture = 0;
  const bool isImage = std::sscanf(static_cast<const char *>(code), "\177ELF sm_%d", &architecture) == 1;
  if (setting("loads", 0))
    std::fprintf(stderr, "fake cuda: loads %s for %d\n", isImage ? "machine code" : "PTX", architecture);
  if (const int error = int(setting(isImage ? "image" : "module", 0)))
    return error;
  if (!isImage && !std::strncmp(static_cast<const char *>(code), "\177ELF", 4))
    return kNoBinary; // of CUDA's own assembler
  state.misuses += reinterpret_cast<uintptr_t>(code) % 16 != 0 && isImage;
  ++state.modules, ++state.loaded;
  *module = const_cast<void *>(code);
  const char *const target = std::strstr(static_cast<const char *>(code), ".target sm_");
  const bool is90a = target && !std::strncmp(target, ".target sm_90a", 14);
  const bool runs90a = setting("capability", 90) == 90 && setting("version", 12040) >= 12000;
  return state.checkOutside(target && (is90a ? runs90a : !std::strncmp(target, ".target sm_80", 13)));
}
int cuModuleUnload(void *module) { return --state.loaded, state.check(module != nullptr); }
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = std::strstr(static_cast<char *>(module), (std::string(".entry ") + name + "(").c_str());
  return state.check(*function != nullptr);
}
int cuFuncSetAttribute(void *function, int attribute, int value) {
  state.sharedBytes[function] = unsigned(value);
  const int error = int(setting("attribute", 0));
  return error ? error : state.check(attribute == 8 && value <= 227 * 1024);
}
int cuLaunchKernel(void *function, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty,
                   unsigned tz, unsigned shared, void *stream, void **arguments, void **) {
  if (const int error = int(setting("launch", 0)))
    return error;
  if (!function)
    return state.check(false);
  const unsigned allowed = state.sharedBytes.count(function) ? state.sharedBytes[function] : 49152;
  const bool fits =
      bx > 0 && by > 0 && by < 65536 && bz > 0 && bz < 65536 && tx * ty * tz <= 1024 && shared <= allowed;
  if (const size_t bytes = structureBytes(static_cast<char *>(function))) {
    const auto a = *static_cast<const segc::tensorcore::Arguments *>(arguments[0]);
    const std::string name = entryName(static_cast<char *>(function));
    return state.submit([=] {
      ++state.launches;
      if (setting("cores", 0))
        std::fprintf(stderr, "%s grid %u %u %u threads %u shared %u bytes %zu\n", name.c_str(), bx, by, bz,
                     tx, shared, bytes);
      return state.check(fits && bytes == sizeof a && ownsTensors(a));
    });
  }
  // The arguments are read now, whenever it is done. Every kernel has a buffer.
  const char *const entry = static_cast<char *>(function);
  const std::vector<size_t> sizes = parametersOf(entry);
  std::vector<unsigned long long> values;
  for (size_t i = 0; i < sizes.size(); ++i)
    std::memcpy(&values.emplace_back(0), arguments[i], sizes[i]);
  const std::string name(entry, std::strcspn(entry, "("));
  return state.submit([=] {
    ++state.launches;
    std::vector<std::string> words = {name};
    for (unsigned number : {bx, by, bz, tx, ty, tz, shared})
      words.push_back(std::to_string(number));
    for (size_t i = 0; i < sizes.size(); ++i)
      words.push_back(sizes[i] == 8 ? state.placeOf(values[i]) : std::to_string(values[i]));
    words.push_back(state.nameOf(stream));
    trace("launch", words);
    return state.check(fits && !values.empty() && state.owns(values[0], 4));
  });
}
int cuGetErrorString(int error, const char **text) {
  *text = error == kOutOfMemory ? "out of memory"
          : error == 701        ? "too many resources requested"
                                : "some error";
  return 0;
}
}
