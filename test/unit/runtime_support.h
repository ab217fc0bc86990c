/// \file A hand-made model for the run-time's tests: a table builder, kernels in plain C++, weights in
/// memory.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/core/ModelTable.h"
#include "runtime/include/segc/model.h"
#include <HalideRuntime.h>
#include <cstring>
#include <string>
#include <vector>

namespace segc::test {

/// Allocations of this process so far; 0 under sanitizers, which bring their own.
long allocations();
/// Whether allocations() counts.
extern const bool allocationsCount;
int threadsOfProcess();

/// Collects the arrays of a table and lays them out as one block.
struct TableBuilder {
  std::string strings = std::string(1, '\0');
  std::vector<rt::SizeNode> sizes;
  std::vector<rt::SizeCheck> checks;
  std::vector<rt::TensorDesc> inputs, outputs;
  std::vector<rt::WeightDesc> weights;
  std::vector<rt::PreparedDesc> prepared;
  std::vector<rt::BufferDesc> buffers;
  std::vector<rt::ViewDesc> views;
  std::vector<uint32_t> args;
  std::vector<rt::StepDesc> prepareSteps, runSteps;
  std::vector<rt::TrainingDesc> training;
  std::vector<uint32_t> losses;
  std::vector<rt::SegmentDesc> segments;
  std::vector<int64_t> milestones;
  std::vector<rt::StepDesc> normSteps, updateSteps, averageSteps, accumulateSteps, unscaleSteps;
  uint64_t laneScratchBytes = 0;
  uint32_t isa = 0;
  rt::DeviceKind device = rt::DeviceKind::Cpu;

  uint32_t str(const std::string &s) {
    uint32_t at = uint32_t(strings.size());
    strings += s + '\0';
    return at;
  }
  uint32_t node(rt::SizeOp op, uint32_t a, uint32_t b, int64_t value) {
    sizes.push_back({op, a, b, 0, value});
    return uint32_t(sizes.size() - 1);
  }
  uint32_t constant(int64_t value) { return node(rt::SizeOp::Constant, 0, 0, value); }
  uint32_t symbol(uint32_t input, uint32_t axis, int64_t value) {
    return node(rt::SizeOp::Symbol, input, axis, value);
  }
  uint32_t view(const rt::ViewDesc &v) {
    views.push_back(v);
    return uint32_t(views.size() - 1);
  }
  void launch(std::vector<rt::StepDesc> &steps, uint32_t kernel, const std::vector<uint32_t> &viewsOfStep,
              const std::string &label, uint32_t writes = 1) {
    steps.push_back({rt::StepKind::Launch, kernel, uint32_t(args.size()), uint32_t(viewsOfStep.size()),
                     str(label), str("problem of " + label), writes});
    args.insert(args.end(), viewsOfStep.begin(), viewsOfStep.end());
  }
  void border(uint32_t buffer) {
    runSteps.push_back({rt::StepKind::Border, buffer, uint32_t(args.size()), 0, str("border"), 0});
  }

  /// The block, as 64-bit words for alignment.
  std::vector<uint64_t> build() const {
    rt::Header header = {};
    header.magic = rt::kTableMagic;
    header.version = rt::kTableVersion;
    header.isa = isa;
    header.device = device;
    header.laneScratchBytes = laneScratchBytes;
    for (const rt::PreparedDesc &p : prepared)
      header.preparedBytes = std::max(header.preparedBytes, p.offset + p.bytes);
    std::vector<uint64_t> block((sizeof header + 7) / 8);
    auto add = [&block](rt::Section &section, const auto &array) {
      section = {uint32_t(block.size() * 8), uint32_t(array.size())};
      size_t bytes = array.size() * sizeof(array[0]), at = block.size();
      block.resize(at + (bytes + 7) / 8);
      if (bytes)
        std::memcpy(&block[at], array.data(), bytes);
    };
    add(header.strings, strings);
    add(header.sizes, sizes);
    add(header.checks, checks);
    add(header.inputs, inputs);
    add(header.outputs, outputs);
    add(header.weights, weights);
    add(header.prepared, prepared);
    add(header.buffers, buffers);
    add(header.views, views);
    add(header.args, args);
    add(header.prepareSteps, prepareSteps);
    add(header.runSteps, runSteps);
    add(header.training, training);
    add(header.losses, losses);
    add(header.segments, segments);
    add(header.milestones, milestones);
    add(header.normSteps, normSteps);
    add(header.updateSteps, updateSteps);
    add(header.averageSteps, averageSteps);
    add(header.accumulateSteps, accumulateSteps);
    add(header.unscaleSteps, unscaleSteps);
    header.bytes = block.size() * 8;
    std::memcpy(block.data(), &header, sizeof header);
    return block;
  }
};

/// Element of an f32 buffer at (c, x, y, n), coordinates as Halide counts them.
inline float &at(const halide_buffer_t *b, int c, int x, int y, int n) {
  const int p[4] = {c, x, y, n};
  int64_t offset = 0;
  for (int k = 0; k < 4; ++k)
    offset += int64_t(p[k] - b->dim[k].min) * b->dim[k].stride;
  return reinterpret_cast<float *>(b->host)[offset];
}

/// A safetensors block of f32 tensors.
struct WeightSet {
  struct Entry {
    std::string name;
    std::vector<int64_t> shape;
    std::vector<float> values;
  };
  std::vector<Entry> entries;

  std::string block(const std::string &type = "F32") const {
    std::string header = "{", data;
    for (const Entry &e : entries) {
      std::string shape;
      for (int64_t extent : e.shape)
        shape += (shape.empty() ? "" : ",") + std::to_string(extent);
      size_t begin = data.size();
      for (float value : e.values) {
        uint32_t bits;
        std::memcpy(&bits, &value, 4);
        uint32_t word = type == "BF16" ? bits >> 16 : bits;
        data.append(reinterpret_cast<const char *>(&word), type == "BF16" ? 2 : 4);
      }
      header += (header.size() > 1 ? ",\"" : "\"") + e.name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" +
                shape + "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data.size()) +
                "]}";
    }
    return frame(header + "}") + data;
  }
  /// Header text with its length in front.
  static std::string frame(const std::string &header) {
    std::string length(8, '\0');
    for (int i = 0; i < 8; ++i)
      length[i] = char(uint64_t(header.size()) >> 8 * i & 255);
    return length + header;
  }
};

/// The model all tests share: y(k) = sum over a 3x3 window (padding 1) of w(k) * (sum over c of x(c)) +
/// bias(k), computed by import, border, a parallel box kernel whose weights are doubled by @prepare and
/// halved again, and export.
struct ToyModel {
  static constexpr int channels = 3, results = 2;
  /// Extents of the model's own shape; 0 leaves H and W open. `bounded`: the box reads a bounded view
  /// instead.
  explicit ToyModel(int height = 8, int width = 6, uint64_t scratch = 4096);
  std::vector<uint64_t> table;
  WeightSet weights;
  /// Makes this the model behind segc_model_create.
  void install() const;
  static float expected(const std::vector<float> &x, int height, int width, int k, int n, int y, int x0);
};

} // namespace segc::test
