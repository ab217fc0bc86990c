/// \file The loops, one function an op; the formulas are those of docs/kernels.md.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernelLoops.h"
#include "runtime/files/Numbers.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

namespace segc {

using schedules::Epilogue;
using schedules::KernelSpec;

namespace {

using Operands = std::vector<const halide_buffer_t *>;

double element(const halide_buffer_t &buffer, int a, int b, int c, int d) {
  const int at[4] = {a, b, c, d};
  return bufferElement(buffer, at);
}

bool exists(const halide_buffer_t &buffer, int dimension, int at) {
  const halide_dimension_t &dim = buffer.dim[dimension];
  return at >= dim.min && at < dim.min + dim.extent;
}

/// What one channel of a convolution sums at a pixel; w as in the file.
double convolved(const KernelSpec &s, const halide_buffer_t &in, const halide_buffer_t &w,
                 const halide_buffer_t *scale, const int *at) {
  const int groups = std::max(s.get("g"), 1), channels = s.get("c") / groups;
  const int first = at[0] / (s.get("k") / groups) * channels;
  double sum = 0;
  for (int ry = 0; ry < s.get("r"); ++ry)
    for (int rx = 0; rx < s.get("r", 1); ++rx)
      for (int i = 0; i < channels; ++i)
        sum += element(w, rx, ry, i, at[0]) *
               element(in, first + i, at[1] * s.get("s", 1) + rx * s.get("d", 1),
                       at[2] * s.get("s") + ry * s.get("d"), at[3]) *
               (scale ? element(*scale, first + i, 0, 0, at[3]) : 1.0);
  return sum;
}

double conv(const KernelSpec &s, const Operands &in, const Operands &, size_t, const int *at) {
  return convolved(s, *in[0], *in[1], s.word("read") == "scaled" ? in[2] : nullptr, at);
}

double separable(const KernelSpec &s, const Operands &in, const Operands &, size_t, const int *at) {
  KernelSpec depthwise = s;
  depthwise.fields["k"] = depthwise.fields["g"] = s.fields.at("c");
  const Epilogue mid{s.word("mid")};
  double sum = 0;
  for (int c = 0; c < s.get("c"); ++c) {
    const int middle[4] = {c, at[1], at[2], at[3]};
    const double v = convolved(depthwise, *in[0], *in[1], nullptr, middle) + element(*in[2], c, 0, 0, 0);
    sum += element(*in[3], 0, 0, c, at[0]) * (mid.op == "none" ? v : epilogueStep(mid, v));
  }
  return sum;
}

double convWgrad(const KernelSpec &s, const Operands &in, const Operands &, size_t, const int *at) {
  const auto &[x, dy] = std::array{in[0], in[1]};
  const int groups = s.get("g"), channel = at[3] / (s.get("k") / groups) * (s.get("c") / groups) + at[2];
  double sum = 0;
  for (int n = 0; n < dy->dim[3].extent; ++n)
    for (int py = 0; py < dy->dim[2].extent; ++py)
      for (int px = 0; px < dy->dim[1].extent; ++px)
        sum +=
            element(*dy, at[3], px, py, n) * element(*x, channel, px * s.get("s", 1) + at[0] * s.get("d", 1),
                                                     py * s.get("s") + at[1] * s.get("d"), n);
  return sum;
}

/// Result 0 is the maximum, 1 its position in the window.
double maxpool(const KernelSpec &s, const Operands &in, const Operands &, size_t result, const int *at) {
  double best = -std::numeric_limits<double>::infinity();
  int position = -1;
  for (int ry = 0; ry < s.get("r"); ++ry)
    for (int rx = 0; rx < s.get("r", 1); ++rx) {
      const int px = at[1] * s.get("s", 1) + rx * s.get("d", 1), py = at[2] * s.get("s") + ry * s.get("d");
      if (!exists(*in[0], 1, px) || !exists(*in[0], 2, py))
        continue;
      const double v = element(*in[0], at[0], px, py, at[3]);
      if (position < 0 || v > best || (std::isnan(v) && !std::isnan(best))) {
        best = v;
        position = ry * s.get("r", 1) + rx;
      }
    }
  return result ? position : best;
}

double avgpool(const KernelSpec &s, const Operands &in, const Operands &, size_t, const int *at) {
  double sum = 0;
  int valid = 0, padded = 0;
  for (int ry = 0; ry < s.get("r"); ++ry)
    for (int rx = 0; rx < s.get("r", 1); ++rx) {
      const int px = at[1] * s.get("s", 1) + rx, py = at[2] * s.get("s") + ry;
      auto end = [&](int d) { return in[0]->dim[d].min + in[0]->dim[d].extent; };
      padded += px < end(1) + s.get("after", 1) && py < end(2) + s.get("after");
      if (!exists(*in[0], 1, px) || !exists(*in[0], 2, py))
        continue;
      ++valid;
      sum += element(*in[0], at[0], px, py, at[3]);
    }
  return sum / (s.word("count") == "padded" ? padded : valid);
}

double upsample(const KernelSpec &s, const Operands &in, const Operands &out, size_t, const int *at) {
  auto reads = [&](int axis) {
    return resizeReads(at[axis], in[0]->dim[axis].extent, out[0]->dim[axis].extent, s.word("mode"),
                       s.get("align") == 1);
  };
  double sum = 0;
  for (const auto &[py, v] : reads(2))
    for (const auto &[px, h] : reads(1))
      sum += v * h * element(*in[0], at[0], px, py, at[3]);
  return sum;
}

double copied(const KernelSpec &, const Operands &in, const Operands &, size_t, const int *at) {
  return bufferElement(*in[0], at);
}

/// softmax, log_softmax and argmax of the channels of one pixel.
double reduced(const std::string &kind, const std::vector<double> &scores, int channel) {
  const auto most = std::max_element(scores.begin(), scores.end());
  if (kind == "argmax")
    return static_cast<double>(most - scores.begin());
  double sum = 0;
  for (double v : scores)
    sum += std::exp(v - *most);
  const double part = scores[channel] - *most;
  return kind == "softmax" ? std::exp(part) / sum : part - std::log(sum);
}

double channelSums(const KernelSpec &s, const Operands &in, const Operands &out, size_t, const int *at) {
  const halide_buffer_t &x = *in[0];
  const int height = x.dim[2].extent, bands = out[0]->dim[2].extent, column = at[1], band = at[2];
  const std::string kind = s.word("kind");
  double sum = 0;
  for (int64_t y = int64_t(band) * height / bands; y < int64_t(band + 1) * height / bands; ++y)
    for (int px = 0; px < x.dim[1].extent; ++px) {
      const double v = element(x, at[0], px, int(y), at[3]);
      const double w = s.get("other") ? element(*in[1], at[0], px, int(y), at[3]) : v;
      sum += kind == "negative"                                      ? v * std::min(w, 0.0)
             : column == 0                                           ? v
             : column == 1 && (kind == "stats" || kind == "product") ? v * w
                                                                     : 1;
    }
  return sum;
}

double sigmoid(double v) { return 1 / (1 + std::exp(-v)); }
double clamp(double v, double low, double high) { return std::min(std::max(v, low), high); }
double normal(double v) { return 0.5 * (1 + std::erf(v / std::sqrt(2.0))); }
constexpr double kSelu = 1.0507009873554805, kSeluAlpha = 1.6732632423543772;

/// v so far, t the tensor's element, a the number, p the vectors' elements.
using Step = double (*)(double v, double t, double a, const double *p);
const std::map<std::string, Step> &steps() {
  using P = const double *;
  static const std::map<std::string, Step> all = {
      {"bias", [](double v, double, double, P p) { return v + p[0]; }},
      {"scale", [](double v, double, double, P p) { return v * p[0]; }},
      {"affine", [](double v, double, double, P p) { return v * p[0] + p[1]; }},
      {"add", [](double v, double t, double, P) { return v + t; }},
      {"sub", [](double v, double t, double, P) { return v - t; }},
      {"mul", [](double v, double t, double, P) { return v * t; }},
      {"times", [](double v, double, double a, P) { return v * a; }},
      {"norm_grad", [](double v, double t, double, P p) { return v * p[0] + t * p[1] + p[2]; }},
      {"relu", [](double v, double, double, P) { return std::max(v, 0.0); }},
      {"relu6", [](double v, double, double, P) { return clamp(v, 0, 6); }},
      {"leaky_relu", [](double v, double, double a, P) { return v < 0 ? a * v : v; }},
      {"prelu", [](double v, double, double, P p) { return v < 0 ? p[0] * v : v; }},
      {"elu", [](double v, double, double a, P) { return v < 0 ? a * std::expm1(v) : v; }},
      {"selu", [](double v, double, double, P) { return kSelu * (v < 0 ? kSeluAlpha * std::expm1(v) : v); }},
      {"gelu", [](double v, double, double, P) { return v * normal(v); }},
      {"silu", [](double v, double, double, P) { return v * sigmoid(v); }},
      {"sigmoid", [](double v, double, double, P) { return sigmoid(v); }},
      {"tanh", [](double v, double, double, P) { return std::tanh(v); }},
      {"hardsigmoid", [](double v, double, double, P) { return clamp(v / 6 + 0.5, 0, 1); }},
      {"hardswish", [](double v, double, double, P) { return v * clamp(v / 6 + 0.5, 0, 1); }},
      {"d_relu", [](double v, double t, double, P) { return t > 0 ? v : 0; }},
      {"d_relu6", [](double v, double t, double, P) { return t > 0 && t < 6 ? v : 0; }},
      {"d_leaky_relu", [](double v, double t, double a, P) { return t > 0 ? v : a * v; }},
      {"dx_leaky_relu", [](double v, double t, double a, P) { return t > 0 ? v : a * v; }},
      {"d_prelu", [](double v, double t, double, P p) { return t > 0 ? v : p[0] * v; }},
      {"d_elu", [](double v, double t, double a, P) { return t > 0 ? v : a * std::exp(t) * v; }},
      {"d_selu",
       [](double v, double t, double, P) { return kSelu * v * (t > 0 ? 1 : kSeluAlpha * std::exp(t)); }},
      {"d_gelu", [](double v, double t, double,
                    P) { return v * (normal(t) + t * std::exp(-t * t / 2) / std::sqrt(2 * M_PI)); }},
      {"d_silu", [](double v, double t, double, P) { return v * sigmoid(t) * (1 + t * (1 - sigmoid(t))); }},
      {"d_sigmoid", [](double v, double t, double, P) { return v * t * (1 - t); }},
      {"d_tanh", [](double v, double t, double, P) { return v * (1 - t * t); }},
      {"d_hardsigmoid", [](double v, double t, double, P) { return t > 0 && t < 1 ? v / 6 : 0; }},
      {"d_hardswish",
       [](double v, double t, double, P) {
         return v * (t < -3 ? 0 : t > 3 ? 1 : t / 3 + 0.5);
       }},
  };
  return all;
}

bool isReduction(const std::string &op) { return op == "softmax" || op == "log_softmax" || op == "argmax"; }

} // namespace

double epilogueStep(const Epilogue &step, double v, double saved, const double *vectors) {
  return std::isnan(v) ? v : steps().at(step.op)(v, saved, step.value, vectors);
}

std::vector<std::pair<int, double>> resizeReads(int o, int in, int out, const std::string &mode, bool align) {
  const int cell = int(int64_t(o) * in / out);
  if (mode == "nearest" || mode == "zeros")
    return {{cell, mode == "nearest" || o == 0 || int64_t(o - 1) * in / out != cell ? 1. : 0.}};
  const double at = align ? (out > 1 ? double(o) * (in - 1) / (out - 1) : 0) : (o + 0.5) * in / out - 0.5;
  const double low = std::floor(at), t = at - low, a = -0.75;
  auto near = [&](double d) { return (a + 2) * d * d * d - (a + 3) * d * d + 1; };
  auto far = [&](double d) { return a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a; };
  const std::vector<double> weights = mode == "bilinear"
                                          ? std::vector<double>{0, 1 - t, t}
                                          : std::vector<double>{far(1 + t), near(t), near(1 - t), far(2 - t)};
  std::vector<std::pair<int, double>> reads;
  for (size_t k = 0; k < weights.size(); k++)
    reads.push_back({std::min(std::max(int(low) - 1 + int(k), 0), in - 1), weights[k]});
  return reads;
}

double bufferElement(const halide_buffer_t &buffer, const int *at) {
  int64_t offset = 0;
  for (int d = 0; d < buffer.dimensions; ++d)
    offset += int64_t(at[d] - buffer.dim[d].min) * buffer.dim[d].stride;
  const uint8_t *place = buffer.host + offset * buffer.type.bytes();
  auto as = [&](auto value) {
    std::memcpy(&value, place, sizeof value);
    return static_cast<double>(value);
  };
  if (buffer.type.bits == 16)
    return files::decode(buffer.type.code == halide_type_bfloat ? files::DType::BF16 : files::DType::F16,
                         place);
  return buffer.type.code == halide_type_float ? (buffer.type.bits == 64 ? as(0.0) : as(0.f))
         : buffer.type.bits == 8               ? as(uint8_t(0))
                                               : as(int32_t(0));
}

struct KernelLoop::Op {
  const char *name;
  size_t operands; ///< before those of the epilogues
  double (*value)(const KernelSpec &, const Operands &, const Operands &, size_t, const int *);
};

const KernelLoop::Op *KernelLoop::find(const std::string &name) {
  static const Op ops[] = {
      {"conv", 2, conv},        {"separable", 4, separable},      {"conv_wgrad", 2, convWgrad},
      {"maxpool", 1, maxpool},  {"avgpool", 1, avgpool},          {"upsample", 1, upsample},
      {"pointwise", 1, copied}, {"softmax", 1, copied},           {"log_softmax", 1, copied},
      {"argmax", 1, copied},    {"channel_sums", 1, channelSums}, {"export_upsample", 1, upsample}};
  for (const Op &op : ops)
    if (name == op.name)
      return &op;
  return nullptr;
}

std::string KernelLoop::whyNot(const KernelSpec &spec) {
  if (!find(spec.op))
    return "there is no plain loop for '" + spec.op +
           "' to check a kernel against; there are loops for conv, separable, conv_wgrad, maxpool, avgpool, "
           "upsample, export_upsample, pointwise, softmax, log_softmax, argmax and channel_sums";
  if (!spec.word("phases").empty())
    return "there is no plain loop for several convolutions at a time: leave out phases=" +
           spec.word("phases");
  for (const Epilogue &step : spec.epilogues)
    if (!steps().count(step.op) && !isReduction(step.op))
      return "there is no plain loop for the epilogue '+" + step.op + "': leave it out";
  return "";
}

KernelLoop::KernelLoop(const KernelSpec &spec, Operands operands, Operands results)
    : spec(spec), operands(std::move(operands)), results(std::move(results)), op(find(spec.op)) {
  firstOfEpilogues = op->operands + (spec.word("read") == "scaled") + (spec.get("other") > 0);
}

double KernelLoop::before(const int *at) const { return op->value(spec, operands, results, 0, at); }

double KernelLoop::finish(double v, const int *at) const {
  size_t next = firstOfEpilogues;
  for (const Epilogue &step : spec.epilogues) {
    double tensor = 0, vectors[4];
    int count = 0;
    for (char kind : step.signature()) {
      const halide_buffer_t &operand = *operands[next++];
      (kind == 't' ? tensor : vectors[count++]) =
          kind == 't' ? bufferElement(operand, at) : bufferElement(operand, &at[0]);
    }
    if (!isReduction(step.op))
      v = epilogueStep(step, v, tensor, vectors);
  }
  return v;
}

double KernelLoop::score(int channel, const int *at) const {
  const int place[4] = {channel, at[1], at[2], at[3]};
  return finish(before(place), place);
}

int KernelLoop::scores() const { return spec.get("k") ? spec.get("k") : spec.get("c"); }

double KernelLoop::at(size_t index, const int *at) const {
  const std::string reduction = isReduction(spec.op) ? spec.op : spec.reduction();
  if (index > 0)
    return op->value(spec, operands, results, index, at);
  if (reduction.empty())
    return finish(before(at), at);
  std::vector<double> all;
  for (int c = 0; c < scores(); ++c)
    all.push_back(score(c, at));
  return reduced(reduction, all, at[0]);
}

double KernelLoop::error(size_t index, const int *at, double want, double got) const {
  const bool isClass = index == 0 && (spec.op == "argmax" || spec.reduction() == "argmax");
  if (isClass && got != want && got >= 0 && got < scores())
    return score(int(want), at) - score(int(got), at);
  const double off = std::fabs(want - got);
  return std::isnan(off) ? std::numeric_limits<double>::infinity() : off;
}

double KernelLoop::work() const {
  const double window = std::max(1.0, double(spec.get("r")) * spec.get("r", 1));
  const double channels = spec.get("c");
  double steps = window;
  if (spec.op == "conv")
    steps = window * channels / spec.get("g");
  if (spec.op == "separable")
    steps = (window + 1) * channels;
  if (spec.op == "conv_wgrad")
    steps = double(operands[1]->dim[1].extent) * operands[1]->dim[2].extent * operands[1]->dim[3].extent;
  if (spec.op == "channel_sums")
    steps = double(operands[0]->dim[1].extent) * operands[0]->dim[2].extent / results[0]->dim[2].extent;
  if (spec.op == "upsample" || spec.op == "export_upsample")
    steps = 16;
  return steps * (isReduction(spec.op) || !spec.reduction().empty() ? scores() : 1);
}

} // namespace segc
