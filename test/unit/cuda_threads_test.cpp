/// \file CUDA libraries in several threads, and several in one program, with the driver of fake_cuda.cpp in
/// the place of NVIDIA's: all of them share its context.
// SPDX-License-Identifier: MIT
#include "test/unit/cuda_threads_support.h"

using namespace segc::test;

TEST_F(CudaThreads, HandlesInSeveralThreadsComputeWhatOneAloneDoes) {
  std::vector<float> alone[4], together[4];
  for (int i = 0; i < 4; ++i)
    alone[i] = live(net(), float(i));
  ASSERT_NE(alone[0], alone[1]) << "results tell nothing";
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { together[i] = live(net(), float(i)); });
  for (std::thread &thread : threads)
    thread.join();
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(together[i], alone[i]) << i;
}

TEST_F(CudaThreads, TwoLibrariesRunSideBySide) {
  const CudaModel *const models[] = {&net(), &other(), &net(), &other()};
  std::vector<float> alone[4], together[4];
  for (int i = 0; i < 4; ++i)
    alone[i] = live(*models[i], float(i));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { together[i] = live(*models[i], float(i)); });
  for (std::thread &thread : threads)
    thread.join();
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(together[i], alone[i]) << i;
  // The code of one goes with its last handle, whatever the other has.
  Handle stays(net());
  stays.shape(6, 8);
  const int modules = driver().modules();
  live(other(), 1);
  EXPECT_EQ(driver().modules(), modules);
}

TEST_F(CudaThreads, ThreadsComeAndGoWhileOthersRun) {
  const std::vector<float> once = live(net(), 2, 1);
  std::atomic<bool> stop = false;
  std::vector<float> steady;
  std::thread runner([&] {
    Handle handle(net());
    handle.shape(6, 8);
    for (int i = 0; i < 1000 && (i < 10 || !stop); ++i)
      handle.run();
    steady = handle.results;
  });
  for (int i = 0; i < 10; ++i) {
    std::vector<float> results;
    std::thread([&] { results = live(net(), 2, 1); }).join();
    EXPECT_EQ(results, once);
  }
  // A handle belongs to no thread: made, shaped, run and destroyed by four.
  std::unique_ptr<Handle> handed;
  std::thread([&] { handed = std::make_unique<Handle>(net()); }).join();
  std::thread([&] { handed->shape(6, 8, 2); }).join();
  for (int i = 0; i < 3; ++i)
    std::thread([&] { handed->run(); }).join();
  const size_t floats = handed->results.size();
  ASSERT_LE(floats, once.size());
  std::thread([&] { handed.reset(); }).join();
  stop = true;
  runner.join();
  Handle alone(net());
  alone.shape(6, 8);
  while (alone.results.size() < steady.size())
    alone.run();
  EXPECT_EQ(steady, alone.results);
}

TEST_F(CudaThreads, OneHandleWithoutMemoryDisturbsNoOther) {
  const std::vector<float> alone = live(net(), 1);
  setenv("FAKE_CUDA", "stir=1 memory=2000000", 1);
  std::vector<float> together;
  std::string text, others;
  std::thread small([&] {
    together = live(net(), 1);
    others = net().library->lastError();
  });
  std::thread large([&] {
    Handle handle(net());
    handle.shape(6, 8, 1);
    handle.run();
    const std::vector<float> first = handle.results;
    const int64_t huge[] = {1, 3, 1000, 1000}, hugeBatch[] = {1, 3, 1000, 1000, 1, 1000, 1000, 0};
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(net().library->reshape(handle.instance.model, huge), SEGC_MODEL_OUT_OF_MEMORY);
      EXPECT_EQ(net().library->reshapeTrain(handle.instance.model, hugeBatch), SEGC_MODEL_OUT_OF_MEMORY);
      text = net().library->lastError();
      handle.run(); // the old shape is still there
    }
    EXPECT_EQ(first.size() * 4, handle.results.size());
  });
  small.join();
  large.join();
  EXPECT_EQ(together, alone);
  EXPECT_EQ(others, "no error");
  EXPECT_NE(text.find("bytes of activations: out of memory; "), std::string::npos) << text;
}

TEST_F(CudaThreads, WithoutPinnedMemoryTheOtherProgramGoesOn) {
  Handle handle(net());
  handle.shape(6, 8);
  handle.shapeTraining(6, 8);
  handle.run(), handle.run();
  setenv("FAKE_CUDA", "stir=1 pins=100", 1);
  const int64_t shape[] = {1, 3, 6, 8};
  EXPECT_EQ(net().library->reshape(handle.instance.model, shape), SEGC_MODEL_OUT_OF_MEMORY);
  EXPECT_NE(std::string(net().library->lastError()).find("the driver pins no "), std::string::npos);
  EXPECT_EQ(net().library->run(handle.instance.model, &handle.x, 1, &handle.y, 1), SEGC_MODEL_NEEDS_RESHAPE);
  handle.step();
  setenv("FAKE_CUDA", "stir=1", 1);
  handle.shape(6, 8);
  handle.run();
  handle.step();
}

TEST_F(CudaThreads, EachThreadHasAStreamAndTensorsOfItsOwn) {
  const auto live = [](float value) {
    const Entered entered;
    void *stream = nullptr;
    unsigned long long in[2], out;
    std::vector<float> results;
    {
      Handle handle(net());
      handle.shape(6, 8, value);
      calls().makeStream(&stream, 0);
      const size_t inBytes = handle.in.size() * sizeof(float), outBytes = handle.out.size() * sizeof(float);
      calls().allocate(&out, outBytes);
      for (unsigned long long &one : in) {
        calls().allocate(&one, inBytes);
        calls().send(one, handle.in.data(), inBytes, stream);
      }
      EXPECT_EQ(net().setStream(handle.instance.model, stream), 0);
      EXPECT_EQ(net().setDeviceTensors(handle.instance.model, 1, 1), 0);
      handle.y.data = reinterpret_cast<void *>(out);
      for (int i = 0; i < 8; ++i) { // none of which waits
        handle.x.data = reinterpret_cast<void *>(in[i % 2]);
        EXPECT_EQ(net().library->run(handle.instance.model, &handle.x, 1, &handle.y, 1), 0);
        std::vector<float> result(handle.out.size());
        calls().fetch(result.data(), out, outBytes, stream);
        calls().wait(stream);
        results.insert(results.end(), result.begin(), result.end());
      }
    }
    for (unsigned long long block : {in[0], in[1], out})
      calls().release(block);
    calls().endStream(stream);
    return results;
  };
  std::vector<float> alone[3], together[3];
  for (int i = 0; i < 3; ++i)
    alone[i] = live(float(i));
  std::vector<std::thread> threads;
  const int before = driver().replays();
  for (int i = 0; i < 3; ++i)
    threads.emplace_back([&, i] { together[i] = live(float(i)); });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(driver().replays(), before + 3 * 6) << "two sets of tensors, the first run of each plainly";
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(together[i], alone[i]) << i;
}

TEST_F(CudaThreads, AHandleThatIsInUseIsBusy) {
  Handle handle(net());
  handle.shape(6, 8);
  int status = -1;
  std::string text;
  Meanwhile other("cuLaunchKernel", [&] {
    Handle &same = handle;
    std::vector<float> out(same.out.size());
    segc_model_tensor y = same.y;
    y.data = out.data();
    status = net().library->run(same.instance.model, &same.x, 1, &y, 1);
    text = net().library->lastError();
  });
  handle.run();
  EXPECT_TRUE(other.happened && other.ended);
  EXPECT_EQ(status, SEGC_MODEL_BUSY);
  EXPECT_EQ(text, "another thread is using this handle: create one for each thread");
}

TEST_F(CudaThreads, WhileOneRecordsOthersMayDoAnything) {
  const std::vector<float> alone = live(net(), 1);
  Handle handle(net()), same(net());
  for (Handle *one : {&handle, &same}) {
    one->shape(6, 8);
    one->run();
  }
  const int before = driver().replays();
  same.run(), same.run();
  EXPECT_EQ(driver().replays(), before + 2);
  std::vector<float> together;
  Meanwhile other("cuStreamBeginCapture_v2", [&] { together = live(net(), 1); });
  const int atOnce = driver().replays();
  handle.run(), handle.run();
  EXPECT_TRUE(other.happened && other.ended);
  EXPECT_GT(driver().replays(), atOnce + 2);
  EXPECT_EQ(handle.results, same.results);
  EXPECT_EQ(together, alone);
}

TEST_F(CudaThreads, WhileCodeIsLoadedOthersRun) {
  setenv("SEGC_CUDA_GRAPHS", "0", 1);
  Handle runs(net()), trains(net());
  runs.shape(6, 8);
  trains.tensors(6, 8, 1);
  Meanwhile other("cuModuleLoadDataEx", [&] { runs.run(); });
  trains.shapeTraining(6, 8);
  EXPECT_TRUE(other.happened);
  EXPECT_TRUE(other.ended) << "a launch waits until another handle's code is compiled";
}
