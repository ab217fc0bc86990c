/// \file The device's driver, and the tiny network's kernels that are sent to it.
// SPDX-License-Identifier: MIT
#include "runtime_host_device.h"
#include "runtime/core/Lane.h"
#include "runtime/include/segc/model.h"
#include "runtime_training_kernels.h"
#include <HalideRuntime.h>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <utility>

namespace segc::test {

bool hostRecords = true, hostRefusesRecordings = false;

namespace {

using namespace rt;

std::set<void *> things;

HostStream &streamOf(Device &device) { return *static_cast<HostStream *>(device.stream); }

int send(Device &device, std::function<void()> work) {
  HostStream &stream = streamOf(device);
  (stream.capture ? *stream.capture : stream.queue).push_back(std::move(work));
  return SEGC_MODEL_OK;
}

int open(Device &device) {
  device.stream = device.ownStream = new HostStream;
  device.records = hostRecords;
  return SEGC_MODEL_OK;
}
void close(Device &device) { delete &streamOf(device); }

int take(uint64_t bytes, char **memory) {
  *memory = static_cast<char *>(std::aligned_alloc(256, (bytes + 255) / 256 * 256));
  std::memset(*memory, 0xcd, bytes);
  things.insert(*memory);
  return SEGC_MODEL_OK;
}
int allocate(Device &, uint64_t bytes, const char *, char **memory) { return take(bytes, memory); }
int allocateHost(Device &, uint64_t bytes, char **memory) { return take(bytes, memory); }

int finish(Device &device) {
  HostStream &stream = streamOf(device);
  if (stream.capture)
    return SEGC_MODEL_DEVICE_FAILED;
  ++stream.waits;
  for (const auto &work : stream.queue)
    work();
  stream.queue.clear();
  return SEGC_MODEL_OK;
}
void release(Device &device, char *memory) {
  finish(device);
  things.erase(memory);
  std::free(memory);
}

int move(Device &device, void *to, const void *from, uint64_t bytes) {
  return send(device, [=] { std::memmove(to, from, bytes); });
}
int post(Device &device, char *to, const void *from, uint64_t bytes) { return move(device, to, from, bytes); }
int fetch(Device &device, void *to, const char *from, uint64_t bytes) {
  return move(device, to, from, bytes);
}
int copy(Device &device, char *to, const char *from, uint64_t bytes) { return move(device, to, from, bytes); }
int upload(Device &device, char *to, const void *from, uint64_t bytes) {
  return move(device, to, from, bytes), finish(device);
}
int download(Device &device, void *to, const char *from, uint64_t bytes) {
  return move(device, to, from, bytes), finish(device);
}
int zero(Device &device, char *to, uint64_t pitch, uint64_t width, uint64_t rows) {
  return send(device, [=] {
    for (uint64_t row = 0; row < rows; ++row)
      std::memset(to + row * pitch, 0, width);
  });
}
int setStream(Device &, void *) { return SEGC_MODEL_UNSUPPORTED; }
bool load(Device &, const char *, uint64_t, Module &) { return false; }
void unload(Module &) {}
bool launch(Device &, Module &, const Launch &) { return false; }

bool record(Device &device) {
  streamOf(device).capture = new HostStream::Work;
  return true;
}
void *keep(Device &device, bool wanted) {
  HostStream::Work *const work = std::exchange(streamOf(device).capture, nullptr);
  if (!wanted || hostRefusesRecordings) {
    delete work;
    return nullptr;
  }
  ++streamOf(device).recordings;
  things.insert(work);
  return work;
}
int replay(Device &device, void *recorded) {
  HostStream &stream = streamOf(device);
  ++stream.replays;
  for (const auto &work : *static_cast<HostStream::Work *>(recorded))
    stream.queue.push_back(work);
  return SEGC_MODEL_OK;
}
void forget(void *recorded) {
  things.erase(recorded);
  delete static_cast<HostStream::Work *>(recorded);
}

const Driver driver = {"host",   open,   close,  allocate, release, allocateHost, release,   upload,
                       download, post,   fetch,  copy,     zero,    finish,       setStream, nullptr,
                       load,     unload, launch, record,   keep,    replay,       forget};

/// What a launch takes along: the caller's buffers may change before it is done.
struct Arguments {
  std::vector<halide_buffer_t> buffers;
  std::vector<std::array<halide_dimension_t, kMaxRank>> dims;

  Arguments(void **args, int count) : buffers(size_t(count)), dims(size_t(count)) {
    for (size_t i = 0; i < buffers.size(); ++i) {
      buffers[i] = *static_cast<halide_buffer_t *>(args[i + 1]);
      std::copy_n(buffers[i].dim, buffers[i].dimensions, dims[i].begin());
    }
  }
  void run(KernelFn kernel) {
    alignas(64) static char scratch[4096];
    Crew crew = {};
    Lane lane = {&crew, scratch, sizeof scratch, 0, 0, {}};
    crew.lanes = &lane;
    crew.count = 1;
    void *context = &lane;
    std::vector<void *> args = {&context};
    for (size_t i = 0; i < buffers.size(); ++i) {
      buffers[i].dim = dims[i].data();
      args.push_back(&buffers[i]);
    }
    kernel(args.data());
  }
};

/// Of each kernel of the tiny network, without the context.
constexpr int kArguments[] = {2, 2, 2, 6, 4, 3, 2, 3, 3, 5, 3, 3, 4, 2, 4, 6, 6, 8, 8, 4, 3, 3, 3};
constexpr size_t kKernels = sizeof kArguments / sizeof kArguments[0];

template <size_t kernel> int sent(void **args) {
  Device &device = *(*static_cast<Lane **>(args[0]))->crew->device;
  if (device.loading)
    return 0;
  HostStream &stream = streamOf(device);
  if (stream.failsIn && --stream.failsIn == 0) {
    device.status = SEGC_MODEL_DEVICE_FAILED;
    std::snprintf(device.text, sizeof device.text, "refused");
    return 0;
  }
  stream.launches += !stream.capture;
  return send(device,
              [taken = Arguments(args, kArguments[kernel])]() mutable { taken.run(tinyKernels[kernel]); });
}

template <size_t... kernels> const KernelFn *allSent(std::index_sequence<kernels...>) {
  static const KernelFn list[] = {sent<kernels>...};
  return list;
}

} // namespace

int hostThings() { return int(things.size()); }
const KernelFn *hostKernels() { return allSent(std::make_index_sequence<kKernels>()); }

} // namespace segc::test

namespace segc::rt {

const Driver *driverOf(DeviceKind) { return &test::driver; }
int openDevice(Device &device) { return device.driver->open(device); }
void closeDevice(Device &device) {
  device.driver->finish(device);
  device.driver->close(device);
}

} // namespace segc::rt
