/// \file The gradients of softmax and its logarithm, from their values: one sum over the channels of each
/// pixel.
///
/// y = softmax(x): dx = y * (dy - sum dy * y). y = log softmax(x): dx = dy - exp(y) * sum dy.
// SPDX-License-Identifier: MIT
#include "schedules/Arithmetic.h"
#include "schedules/cpu/Families.h"
#include "schedules/cpu/Logits.h"

using namespace Halide;

namespace segc::schedules {
namespace {

KernelBuild buildSoftmaxGrad(const KernelSpec &spec, Isa isa) {
  const int channels = spec.get("c");
  const ImageParam dy = activation("dy", channels, spec.get("in")),
                   value = activation("v", channels, spec.get("y"));
  const Rows rows(channels, isa, false);
  const Var &c = rows.c, &x = rows.x, &y = rows.y, &n = rows.n, lane("lane");
  const bool logarithm = spec.op == "log_softmax_grad";
  const ChannelVectors vectors(channels, rows.overChannels ? rows.vector : 1);
  auto term = [&](const Expr &channel) {
    const Expr g = dy(channel, x, y, n);
    return logarithm ? g : g * value(channel, x, y, n);
  };
  Func sum("sum"), sumLane("sumLane"), out("y");
  if (rows.overChannels) {
    sumLane(lane, x, y, n) = 0.f;
    sumLane(lane, x, y, n) +=
        select(vectors.counts(vectors.k, lane), term(vectors.channel(vectors.k, lane)), 0.f);
    sum(x, y, n) = 0.f;
    sum(x, y, n) += sumLane(vectors.l, x, y, n);
  } else {
    Expr total = term(0);
    for (int i = 1; i < channels; i++)
      total += term(i);
    sum(x, y, n) = total;
  }
  const Expr v = value(c, x, y, n), g = dy(c, x, y, n), s = sum(x, y, n);
  out(c, x, y, n) = logarithm ? g - expNegative(v) * s : v * (g - s);
  describeActivation(out.output_buffer(), channels, spec.get("out"));
  rows.schedule(out);
  sum.compute_at(out, x).store_in(MemoryType::Register);
  if (rows.overChannels)
    scheduleGather(sumLane, sum, vectors, lane, LoopLevel(out, x));
  else
    sum.vectorize(x);
  return kernelBuild(Pipeline(out), {dy, value});
}

} // namespace

Family softmaxGradFamily() {
  return plainFamily("softmax_grad", "Gradients of softmax over the channels of each pixel.",
                     {"softmax_grad", "log_softmax_grad"}, buildSoftmaxGrad);
}

} // namespace segc::schedules
