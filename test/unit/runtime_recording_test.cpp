/// \file Training steps that a device records and replays: they change every bit as plain launches do,
/// whatever else happens to the handle in between.
// SPDX-License-Identifier: MIT
#include "runtime/core/Model.h"
#include "runtime_host_device.h"
#include "runtime_training_support.h"
#include <random>

using namespace segc;
using namespace segc::test;

namespace {

/// A handle with its tensors, which does what letters say.
struct Trained : TinyTest {
  std::vector<float> otherX;
  int salt = 0;
  bool isLarge = false, areOnDevice = false;

  Trained(const TinyOptions &options, bool records) {
    hostRecords = records;
    create(TinyModel(options));
    fill(1, 4, 5);
    otherX = x;
  }
  ~Trained() override { TearDown(); }
  void TestBody() override {}

  HostStream &stream() { return *static_cast<HostStream *>(model->device.stream); }
  void refill() {
    fill(isLarge ? 2 : 1, isLarge ? 3 : 4, 5, ++salt);
    otherX = x;
  }
  int setWeight(int which, float value) {
    const std::vector<float> values(which == TinyModel::kW ? 3 : 1, value);
    return segc_model_set_weight(model, which, values.data());
  }
  /// Writes to a flat buffer at any time.
  int write(int which) {
    float *data = nullptr;
    size_t count = 0;
    const int status = segc_model_flat(model, which, &data, &count);
    if (!status && count)
      data[1] = data[1] * 1.25f + 0.5f;
    return status;
  }
  int reshape() {
    isLarge = !isLarge;
    refill();
    const int64_t n = x.size() == 60 ? 1 : 2, h = n == 1 ? 4 : 3, shapes[] = {n, 3, h, 5, n, h, 5, 0};
    const int status = segc_model_reshape(model, shapes);
    return status ? status : segc_model_reshape_train(model, shapes);
  }
  static void watch(void *, int, const char *, const char *, uint64_t) {}

  /// What a letter stands for; a status.
  int obey(char order) {
    int finite = -1;
    switch (order) {
    case 's':
      return step();
    case 'g':
      return segc_model_grad(model, batch, 2, nullptr, 0);
    case 'u':
      return segc_model_update(model);
    case 'r':
      return run();
    case 'n':
      return segc_model_gradients_finite(model, &finite) + 100 * finite;
    case 'b': // another batch in the same memory
      return refill(), 0;
    case 't': // the same one in other memory
      std::swap(x, otherX);
      batch[0].data = in.data = x.data();
      return 0;
    case 'd': // which the device reads itself, or no longer
      areOnDevice = !areOnDevice;
      return segc_model_set_device_tensors(model, areOnDevice, 0);
    case 'o': // gradients that are scaled overflow
      for (float &value : x)
        value = 2e17f * (value + 1);
      return 0;
    case 'a':
    case 'A':
      return segc_model_set_accumulation(model, order == 'a');
    case 'p':
      return reshape();
    case 'k': // frozen, of @prepare
      return setWeight(TinyModel::kGain, 1 + 0.1f * float(++salt % 5));
    case 'w':
      return setWeight(TinyModel::kB, 0.1f * float(++salt % 5));
    case 'f':
      return write(SEGC_MODEL_FLAT_PARAMETERS);
    case 'F':
      return write(SEGC_MODEL_FLAT_GRADIENTS) + write(SEGC_MODEL_FLAT_ACCUMULATED);
    case 'c':
    case 'C':
      return segc_model_set_check_finite(model, order == 'c');
    case 'v':
    case 'V':
      return segc_model_set_observer(model, order == 'v' ? watch : nullptr, nullptr);
    case 'l':
      return segc_model_set_learning_rate(model, 0.01 * (++salt % 7 - 1));
    case 'S':
      return segc_model_set_seed(model, uint32_t(++salt));
    default: // a checkpoint of the start
      return segc_model_set_steps(model, 0);
    }
  }
  /// All that training changes, as bits.
  std::vector<uint64_t> state() {
    std::vector<uint64_t> bits;
    const auto add = [&](const auto &value) { std::memcpy(&bits.emplace_back(0), &value, sizeof value); };
    for (int which = 0; which < SEGC_MODEL_NUM_FLAT_BUFFERS; ++which)
      for (float value : flat(which))
        add(value);
    for (float value : y)
      add(value);
    double scale;
    int64_t good;
    EXPECT_EQ(segc_model_loss_scale(model, &scale, &good), 0);
    add(scale), add(good), add(segc_model_steps(model));
    return bits;
  }
  std::vector<uint32_t> losses() {
    std::vector<uint32_t> bits(3);
    for (int i = 0; i < 3; ++i) {
      float value = -1;
      segc_model_loss(model, i, &value);
      std::memcpy(&bits[size_t(i)], &value, sizeof value);
    }
    return bits;
  }
};

struct Case {
  const char *name;
  TinyOptions options;
  int replays; ///< of a step
};
void PrintTo(const Case &one, std::ostream *out) { *out << one.name; }

Case make(const char *name, rt::OptimizerKind kind, double clip, bool scaled, double ema, bool preparesB) {
  Case one = {name, {}, clip > 0 || scaled ? 2 : 1};
  rt::TrainingDesc &desc = one.options.desc;
  desc.optimizer = kind;
  desc.clipNorm = clip;
  desc.lossScaling = scaled;
  desc.ema = ema;
  desc.momentum = kind == rt::OptimizerKind::Sgd ? 0.9 : 0;
  desc.learningRate = 0.01;
  one.options.preparesB = preparesB;
  one.options.kernels = hostKernels();
  return one;
}

std::vector<Case> cases() {
  using Kind = rt::OptimizerKind;
  return {make("sgd", Kind::Sgd, 0, false, 0, false), make("adam", Kind::Adam, 0, false, 0.9, true),
          make("clip", Kind::AdamW, 0.5, false, 0.5, true), make("f16", Kind::Sgd, 0, true, 0.5, true),
          make("both", Kind::Adam, 0.5, true, 0.5, false)};
}

struct Recording : testing::TestWithParam<Case> {
  void TearDown() override {
    EXPECT_EQ(hostThings(), 0) << "recordings or memory are left";
    hostRefusesRecordings = false;
  }
  static TinyOptions withoutDevice() {
    TinyOptions options = GetParam().options;
    options.kernels = nullptr;
    return options;
  }
  /// Three ways of doing what the letters say: on the processor, by plain launches, and recorded. After each
  /// the same losses, in the end the same state.
  static void compare(const std::string &orders) {
    SCOPED_TRACE(orders);
    Trained processor(withoutDevice(), false), plain(GetParam().options, false),
        recorded(GetParam().options, true);
    for (size_t i = 0; i < orders.size(); ++i) {
      const int expected = orders[i] == 'd' ? SEGC_MODEL_OK : processor.obey(orders[i]);
      for (Trained *handle : {&plain, &recorded}) {
        ASSERT_EQ(handle->obey(orders[i]), expected) << orders[i] << i << ": " << segc_model_last_error();
        ASSERT_EQ(handle->losses(), processor.losses()) << orders[i] << i;
      }
    }
    const std::vector<uint64_t> state = processor.state();
    EXPECT_EQ(plain.state(), state);
    EXPECT_EQ(recorded.state(), state);
    EXPECT_EQ(plain.stream().replays, 0);
  }
};

} // namespace

TEST_P(Recording, FromTheSecondStepOnThereAreNoPlainLaunches) {
  Trained handle(GetParam().options, true);
  ASSERT_EQ(handle.step(), 0);
  for (int i = 2; i < 6; ++i) {
    const HostStream before = handle.stream();
    handle.obey('b');
    ASSERT_EQ(handle.step(), 0) << segc_model_last_error();
    EXPECT_EQ(handle.stream().launches, before.launches) << i;
    EXPECT_EQ(handle.stream().replays, before.replays + GetParam().replays) << i;
    EXPECT_EQ(handle.stream().waits, before.waits + 1) << i;
    EXPECT_EQ(handle.stream().recordings, before.recordings + (i == 2 ? GetParam().replays : 0)) << i;
  }
}

TEST_P(Recording, ChangesWhatPlainLaunchesChange) {
  for (const char *orders : {"sbsbsbs", "gugusssgugu", "ssssSslslss", "srsrsrsr", "ssfsFswsss", "sskskss",
                             "sspsspspss", "sstststdststst", "ascsCsvsVsss", "sszszss"})
    compare(orders);
}

TEST_P(Recording, Accumulates) {
  for (const char *orders : {"assss", "sssagggusggsggsAsss", "aggugguggugu", "ssasspssAsss", "aggssgFsggFuss",
                             "agggnggguggguggu", "agggnogngguggu"})
    compare(orders);
}

TEST_P(Recording, SkipsStepsWhoseGradientsOverflow) {
  for (const char *orders : {"osss", "sssosssbsss", "assgosbssAss", "gugouggubsss", "ssosrbsrs", "osossb"})
    compare(orders);
}

TEST_P(Recording, WhateverHappens) {
  std::mt19937 random(7);
  const std::string orders = "ssssssssgggguuubbrntdopakwfFcCvVAlSz";
  for (int round = 0; round < 100 && !HasFailure(); ++round) {
    std::string chosen;
    for (unsigned i = 0, count = 5 + random() % 30; i < count; ++i)
      chosen += orders[random() % orders.size()];
    compare(chosen);
  }
}

/// Graphs of other tensors stay; another shape or other buffers drop them all.
TEST_P(Recording, IsForWhatItsStepsAreBoundTo) {
  Trained handle(GetParam().options, true);
  const auto fresh = [&](const char *orders) {
    const int before = handle.stream().recordings;
    for (const char *order = orders; *order; ++order)
      EXPECT_EQ(handle.obey(*order), 0) << *order;
    return handle.stream().recordings - before;
  };
  const int whole = GetParam().replays;
  EXPECT_EQ(fresh("dsss"), whole);
  EXPECT_EQ(fresh("tsss"), 1) << "the update knows of no tensors";
  EXPECT_EQ(fresh("tststs"), 0);
  EXPECT_EQ(fresh("asss"), whole + GetParam().options.preparesB)
      << "gradients that are summed up need @prepare once, which is recorded by itself";
  EXPECT_EQ(fresh("Asss"), whole);
  EXPECT_EQ(fresh("psss"), 1);
  EXPECT_EQ(fresh("vsssVcsssCsss"), 0);
  EXPECT_EQ(fresh("ggguggugu"), whole == 1 ? 2 : 1) << "of two, that of the update was there";
}

/// grad() and update() by themselves: two graphs and one wait, whoever asks for the norm.
TEST_P(Recording, HoldsForGradientsAndUpdates) {
  Trained handle(GetParam().options, true);
  for (const char *orders : {"gu", "gnu"}) {
    if (orders[1] == 'n' && !GetParam().options.desc.clipNorm && !GetParam().options.desc.lossScaling)
      continue; // the tiny network has no list for it
    for (int i = 1; i < 6; ++i) {
      const HostStream before = handle.stream();
      for (const char *order = orders; *order; ++order)
        ASSERT_EQ(handle.obey(*order) % 100, 0) << segc_model_last_error();
      if (i < 3)
        continue; // from the first question on grad() does more
      EXPECT_EQ(handle.stream().launches, before.launches) << orders << i;
      EXPECT_EQ(handle.stream().replays, before.replays + 2) << orders << i;
      EXPECT_EQ(handle.stream().waits, before.waits + 1) << orders << i;
    }
  }
}

TEST_P(Recording, WhoWatchesSeesEachLaunch) {
  Trained handle(GetParam().options, true);
  for (char order : std::string("ssscC"))
    ASSERT_EQ(handle.obey(order), 0);
  for (char watched : {'c', 'v'}) {
    const HostStream before = handle.stream();
    handle.obey(watched);
    ASSERT_EQ(handle.step(), 0);
    EXPECT_GT(handle.stream().launches, before.launches + 8) << watched;
    EXPECT_EQ(handle.stream().replays, before.replays + GetParam().options.preparesB)
        << "nobody sees @prepare";
    handle.obey(watched == 'c' ? 'C' : 'V');
  }
}

/// Nothing stays half recorded, and what is not recorded is done.
TEST_P(Recording, AFailureLeavesTheHandleUsable) {
  for (int failsIn = 1, launches = 1; failsIn <= launches; ++failsIn) {
    Trained handle(GetParam().options, true);
    handle.stream().launches = 0;
    ASSERT_EQ(handle.step(), 0);
    launches = handle.stream().launches;
    handle.stream().failsIn = failsIn;
    // What could not be recorded is done plainly after all.
    ASSERT_EQ(handle.step(), 0) << failsIn;
    EXPECT_EQ(handle.stream().capture, nullptr);
    handle.stream().failsIn = 1;
    EXPECT_EQ(handle.step(), SEGC_MODEL_DEVICE_FAILED) << failsIn;
    EXPECT_NE(std::string(segc_model_last_error()).find("refused"), std::string::npos);
    EXPECT_EQ(handle.step(), 0) << failsIn;
  }
}

TEST_P(Recording, ADriverThatRecordsNothing) {
  Trained plain(GetParam().options, false), refused(GetParam().options, true);
  hostRefusesRecordings = true;
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(plain.step(), 0);
    ASSERT_EQ(refused.step(), 0) << segc_model_last_error();
  }
  EXPECT_EQ(refused.state(), plain.state());
  EXPECT_EQ(refused.stream().replays, 0);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Recording, testing::ValuesIn(cases()),
                         [](const auto &info) { return std::string(info.param.name); });
