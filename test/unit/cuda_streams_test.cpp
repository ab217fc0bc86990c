/// \file Streams, captures and contexts of the caller beside those of a CUDA library, with the driver of
/// fake_cuda.cpp in the place of NVIDIA's; and that this driver finds what is wrong.
// SPDX-License-Identifier: MIT
#include "test/unit/cuda_threads_support.h"

using namespace segc::test;

namespace {
using CudaStreams = CudaThreads;
}

TEST_F(CudaStreams, ANewShapeWaitsForWhatStillRuns) {
  const Entered entered;
  void *stream = nullptr;
  unsigned long long in = 0, out = 0;
  {
    Handle handle(net());
    handle.shape(6, 8);
    handle.shapeTraining(6, 8);
    calls().makeStream(&stream, 1);
    calls().allocate(&in, 3 * 48 * sizeof(float)), calls().allocate(&out, 5 * 48 * sizeof(float));
    EXPECT_EQ(net().setStream(handle.instance.model, stream), 0);
    EXPECT_EQ(net().setDeviceTensors(handle.instance.model, 1, 1), 0);
    handle.x.data = reinterpret_cast<void *>(in), handle.y.data = reinterpret_cast<void *>(out);
    EXPECT_EQ(net().library->run(handle.instance.model, &handle.x, 1, &handle.y, 1), 0);
    handle.shape(100, 120); // in a larger workspace
    EXPECT_EQ(net().setStream(handle.instance.model, nullptr), 0);
    EXPECT_EQ(net().setDeviceTensors(handle.instance.model, 0, 0), 0);
    handle.tensors(6, 8, 1);
    handle.step(); // whose update still runs
    handle.shapeTraining(200, 210);
  }
  calls().release(in), calls().release(out);
  calls().endStream(stream);
}

TEST_F(CudaStreams, TheCallersStreamIsNotCaptured) {
  const Entered entered;
  void *blocking = nullptr, *const byDefault = reinterpret_cast<void *>(1); // CU_STREAM_LEGACY
  calls().makeStream(&blocking, 0);
  unsigned long long memory = 0;
  calls().allocate(&memory, 4);
  Handle handle(net());
  for (void *stream : {blocking, byDefault}) {
    handle.shape(6, 8);
    EXPECT_EQ(net().setStream(handle.instance.model, stream), 0) << net().library->lastError();
    handle.run();
    const int before = driver().replays();
    int status = -1;
    // The default stream, which another thread may use, waits for blocking ones: CUDA forbids that while one
    // of them is captured, and breaks the capture.
    Meanwhile other("cuStreamBeginCapture_v2", [&] {
      const Entered entered;
      const float value = 1;
      status = calls().send(memory, &value, sizeof value, nullptr);
      calls().wait(nullptr);
    });
    handle.run(), handle.run();
    EXPECT_TRUE(other.happened && other.ended);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(driver().replays(), before + 2);
  }
  EXPECT_EQ(net().setStream(handle.instance.model, nullptr), 0);
  calls().release(memory);
  calls().endStream(blocking);
}

TEST_F(CudaStreams, ACallersCaptureOutlivesWhatHandlesDo) {
  const Entered entered;
  void *stream = nullptr, *graph = nullptr;
  calls().makeStream(&stream, 1);
  const std::vector<float> alone = live(net(), 1);
  std::vector<float> together;
  ASSERT_EQ(calls().capture(stream, 0), 0); // global: the default, and what PyTorch does
  std::thread([&] { together = live(net(), 1); }).join();
  EXPECT_EQ(calls().endCapture(stream, &graph), 0);
  EXPECT_EQ(together, alone);
  ASSERT_NE(graph, nullptr);
  calls().destroyGraph(graph);
  calls().endStream(stream);
}

TEST_F(CudaStreams, ACallersCaptureTakesTheKernelsOfARun) {
  const Entered entered;
  void *stream = nullptr, *graph = nullptr, *executable = nullptr;
  unsigned long long in = 0, out = 0;
  calls().makeStream(&stream, 1);
  calls().allocate(&in, 3 * 48 * sizeof(float)), calls().allocate(&out, 5 * 48 * sizeof(float));
  {
    Handle handle(net());
    handle.shape(6, 8);
    EXPECT_EQ(net().setStream(handle.instance.model, stream), 0);
    EXPECT_EQ(net().setDeviceTensors(handle.instance.model, 1, 1), 0);
    handle.x.data = reinterpret_cast<void *>(in), handle.y.data = reinterpret_cast<void *>(out);
    const auto run = [&] {
      EXPECT_EQ(net().library->run(handle.instance.model, &handle.x, 1, &handle.y, 1), 0)
          << net().library->lastError();
    };
    run(); // to load what is loaded late; the next one would be recorded
    const int before = driver().replays();
    ASSERT_EQ(calls().capture(stream, 0), 0);
    run();
    EXPECT_EQ(calls().endCapture(stream, &graph), 0);
    ASSERT_NE(graph, nullptr);
    EXPECT_EQ(calls().instantiate(&executable, graph, 0), 0);
    EXPECT_EQ(driver().replays(), before);
    EXPECT_EQ(calls().replay(executable, stream), 0);
    EXPECT_EQ(calls().wait(stream), 0);
    run(), run();
    EXPECT_EQ(driver().replays(), before + 3) << "and records its own afterwards";
  }
  calls().destroyExecutable(executable), calls().destroyGraph(graph);
  calls().release(in), calls().release(out);
  calls().endStream(stream);
}

TEST_F(CudaStreams, TheCallersContextComesBack) {
  std::thread([] {
    void *own = nullptr, *now = nullptr;
    calls().makeContext(&own, 0, 0);
    {
      Handle handle(net());
      handle.shape(6, 8);
      handle.run(), handle.run();
      calls().current(&now);
      EXPECT_EQ(now, own);
      const int64_t wrong[] = {1, 7, 1, 1};
      EXPECT_NE(net().library->reshape(handle.instance.model, wrong), 0);
      calls().current(&now);
      EXPECT_EQ(now, own);
    }
    calls().current(&now);
    EXPECT_EQ(now, own);
    calls().pop(&now);
  }).join();
}

TEST_F(CudaStreams, TheDriverOfTheseTestsFindsMisuses) {
  const Entered entered;
  void *stream = nullptr, *second = nullptr, *graph = nullptr, *executable = nullptr;
  unsigned long long memory = 0, more = 0;
  calls().makeStream(&stream, 1), calls().makeStream(&second, 1);
  calls().allocate(&memory, 64);
  // Memory while one captures: not for this thread, but for others, unless the capture is global.
  for (int mode : {1, 0}) {
    ASSERT_EQ(calls().capture(stream, mode), 0);
    int status = -1;
    std::thread([&] {
      const Entered entered;
      status = calls().allocate(&more, 64);
      if (!status)
        calls().release(more);
      EXPECT_EQ(calls().zero(memory, 64, 0, 64, 1, second), 0);
    }).join();
    EXPECT_EQ(status, mode ? 0 : 900);
    EXPECT_EQ(calls().allocate(&more, 64), 900);
    EXPECT_EQ(calls().endCapture(stream, &graph), 901);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(driver().takeMisuses(), mode ? 1 : 2);
  }
  // One graph in two streams before the first is waited for.
  ASSERT_EQ(calls().capture(stream, 1), 0);
  EXPECT_EQ(calls().zero(memory, 64, 0, 64, 1, stream), 0);
  ASSERT_EQ(calls().endCapture(stream, &graph), 0);
  ASSERT_EQ(calls().instantiate(&executable, graph, 0), 0);
  EXPECT_EQ(calls().wait(second), 0);
  EXPECT_EQ(calls().replay(executable, stream), 0);
  EXPECT_EQ(driver().takeMisuses(), 0);
  EXPECT_EQ(calls().replay(executable, second), 0);
  EXPECT_EQ(driver().takeMisuses(), 1);
  // Memory that a stream works on; a stream that is no more.
  EXPECT_EQ(calls().wait(stream), 0);
  EXPECT_EQ(calls().release(memory), 0);
  EXPECT_EQ(driver().takeMisuses(), 1);
  EXPECT_EQ(calls().endStream(second), 0);
  EXPECT_EQ(calls().wait(second), 400);
  EXPECT_EQ(driver().takeMisuses(), 1);
  // A thread that leaves a context behind.
  std::thread([] { new Entered; }).join();
  EXPECT_EQ(driver().takeMisuses(), 1);
  calls().destroyExecutable(executable), calls().destroyGraph(graph);
  calls().endStream(stream);
}
