/// \file Problem strings of training: optional words, lists of numbers, epilogues with several operands.
// SPDX-License-Identifier: MIT
#include "schedules/KernelSpec.h"
#include <gtest/gtest.h>

namespace segc::schedules {
namespace {

KernelSpec parsed(const std::string &text) {
  auto spec = KernelSpec::parse(text);
  if (auto *error = std::get_if<std::string>(&spec)) {
    ADD_FAILURE() << *error;
    return {};
  }
  return std::get<KernelSpec>(spec);
}

TEST(TrainingSpec, PrintsWhatItParsed) {
  for (const char *text : {
           "channel_sums c64 in64 other96 out64 kind=product : f32",
           "finish_sum c64 in64 : f32",
           "finish_stats c64 in64 : f32",
           "finish_norm_grad c64 in64 gamma1 eps=1e-05 : f32",
           "running_update c64 in64 unbiased1 momentum=0.1 : f32",
           "copy_vector : f32",
           "total_loss n2 weights=1/0.4 : f32",
           "softmax_grad c21 in21 y24 out21 : f32",
           "log_softmax_grad c21 in21 y24 out21 : f32",
           "take c8 r3x3 s2x2 d1x1 in8 idx8 out8 overlap=sum +add(8) +d_relu(8) : f32",
           "unpool c8 r2x2 s2x2 d1x1 in8 idx8 out8 overlap=last : f32",
           "upsample_transpose c8 in8 out8 mode=bilinear align1 : f32",
           "pad_transpose c8 in8 out8 mode=reflect before1x2 after3x4 : f32",
           "loss_sums kind=cross_entropy c3 in3 t1 pw0 out1 ignore=-100 cw=0.5/1/2 : f32",
           "loss_sums kind=focal c3 in3 t1 pw1 out1 ignore=255 alpha=0.25/0.5/0.25 gamma=2 : f32",
           "loss_sums kind=score c3 in3 t3 pw1 out1 : f32",
           "loss_grad kind=smooth_l1 c3 in3 t3 pw0 out3 per_image0 beta=0.5 : f32",
           "finish_loss kind=bce c1 in1 reduction=mean per_image0 pos=auto scale=0.4 : f32",
           "finish_loss kind=dice c3 in3 reduction=sum per_image1 eps=1 scale=1 : f32",
           "sgd momentum1 nesterov0 : f32",
           "adam decoupled1 : f32",
           "ema : f32",
           "accumulate : f32",
           "sum_squares : f32",
           "pointwise c8 in8 out8 +scale +drop(4294967295,0.5) +norm_grad(8) : f32",
           "pointwise c8 in8 out8 +d_relu(8) +d_relu6(8) +d_leaky_relu(8,0.01) +d_sigmoid(8) +d_tanh(9) : "
           "f32",
           "pointwise c8 in8 out8 +d_hardsigmoid(8) +dx_leaky_relu(8,-0.1) +d_elu(8,1) +d_selu(8) : f32",
           "pointwise c8 in8 out8 +d_gelu(8) +d_silu(8) +d_hardswish(8) +d_prelu(8) : f32",
       })
    EXPECT_EQ(parsed(text).print(), text);
}

TEST(TrainingSpec, WordsThatMayBeLeftOut) {
  EXPECT_EQ(parsed("unpool c8 r2x2 s2x2 d1x1 in8 idx8 out8 +relu : f32").word("overlap"), "last");
  KernelSpec built = parsed("unpool c8 r2x2 s2x2 d1x1 in8 idx8 out8 : f32");
  built.words.clear();
  EXPECT_EQ(built.print(), "unpool c8 r2x2 s2x2 d1x1 in8 idx8 out8 overlap=last : f32");
  const KernelSpec loss = parsed("loss_sums kind=mse c3 in3 t3 pw0 out1 : f32");
  EXPECT_TRUE(loss.word("ignore").empty() && loss.numbers("cw").empty());
}

TEST(TrainingSpec, NumbersAndOperands) {
  EXPECT_EQ(parsed("total_loss n2 weights=1/0.4 : f32").numbers("weights"), (std::vector<double>{1, 0.4}));
  const auto steps =
      parsed("pointwise c8 in8 out8 +drop(4294967295,0.25) +norm_grad(9) +d_leaky_relu(7,0.5) : f32")
          .epilogues;
  ASSERT_EQ(steps.size(), 3u);
  EXPECT_EQ(steps[0].site, 4294967295u);
  EXPECT_EQ(steps[0].value, 0.25);
  EXPECT_EQ(steps[0].signature(), "s");
  EXPECT_FALSE(steps[0].isTensor());
  EXPECT_EQ(steps[1].stride, 9);
  EXPECT_EQ(steps[1].signature(), "tvvv");
  EXPECT_EQ(steps[1].operands(), 4);
  EXPECT_EQ(steps[2].stride, 7);
  EXPECT_EQ(steps[2].value, 0.5);
  EXPECT_TRUE(steps[2].isTensor());
}

TEST(TrainingSpec, SaysWhatIsWrong) {
  const std::pair<const char *, const char *> cases[] = {
      {"pointwise c1 in1 out1 +drop(0.5) : f32", "drop needs the number of its site and a rate"},
      {"pointwise c1 in1 out1 +drop(4294967296,0.5) : f32", "'4294967296' is no unsigned 32-bit number"},
      {"pointwise c1 in1 out1 +drop(1,1) : f32", "'1' is no rate in [0, 1)"},
      {"pointwise c1 in1 out1 +d_elu(8) : f32", "d_elu needs a pixel stride and a number"},
      {"pointwise c1 in1 out1 +d_elu(0,1) : f32", "'0' is no pixel stride"},
      {"pointwise c1 in1 out1 +d_elu(8,x) : f32", "'x' is no number"},
      {"pointwise c1 in1 out1 +norm_grad : f32", "norm_grad needs one number"},
      {"unpool c8 r2x2 s2x2 d1x1 in8 idx8 out8 overlap=first : f32", "unknown value of overlap"},
      {"total_loss n2 weights=1/x : f32", "unknown value of weights"},
      {"loss_sums kind=hinge c3 in3 t3 pw0 out1 : f32", "unknown value of kind"},
      {"finish_loss kind=bce c1 in1 reduction=mean per_image0 pos=1/2 scale=1 : f32", "unknown value of pos"},
      {"loss_sums kind=mse c3 in3 t3 pw0 : f32", "field 'out' expected, not ':'"},
  };
  for (auto [text, message] : cases) {
    auto spec = KernelSpec::parse(text);
    ASSERT_EQ(spec.index(), 1u) << text;
    EXPECT_NE(std::get<std::string>(spec).find(message), std::string::npos) << std::get<std::string>(spec);
  }
}

} // namespace
} // namespace segc::schedules
