/// \file Loader: batches of a data set, read and changed by threads, in an order that does not depend on
/// them.
// SPDX-License-Identifier: MIT
#pragma once
#include "runtime/pictures/Geometry.h"
#include "runtime/train/Augment.h"
#include <memory>

namespace segc::train {

/// Where in the stream of samples a run stands: `index` samples of `epoch` have been handed out.
struct Position {
  int64_t epoch = 0, index = 0;
};

struct LoaderOptions {
  std::string split = "train";
  int64_t batch = 1;
  int channels = 3;              ///< 1 or 3
  int64_t height = 0, width = 0; ///< of the crops; 0: whole pictures
  /// Training: every epoch in a new order, without end, a batch may reach into the next epoch. Otherwise: one
  /// pass in the order of the list, the last batch may be smaller.
  bool training = true;
  /// Without training: pictures are padded to multiples of this by mirroring, half on each side.
  int64_t multiple = 1;
  uint64_t seed = 0;
  int threads = 2;                         ///< 1 to 256
  int32_t ignore = 255;                    ///< what ignored pixels have in masks
  int64_t cacheBytes = int64_t(512) << 20; ///< decoded pictures kept from epoch to epoch
  Augmentation augmentation;
};

/// Dense tensors of n pictures.
struct Batch {
  int64_t n = 0, channels = 0, height = 0, width = 0;
  std::vector<float> images;  ///< n, channels, height, width; normalised
  std::vector<int32_t> masks; ///< n, height, width
  std::vector<float> weights; ///< n, height, width; empty where the data has none
  std::vector<std::string> names;
  std::vector<int64_t> items; ///< which of the split's items they are
  pictures::Margins margins;  ///< what `multiple` added
};

/// Equal seeds give equal bytes for any number of threads. A sample depends on (seed, epoch, item) alone.
class Loader {
public:
  /// `dataset` must outlive the loader. `start` resumes a run where position() was.
  static Result<std::unique_ptr<Loader>> create(const Dataset &dataset, const LoaderOptions &options,
                                                Position start = {});
  ~Loader();
  Loader(const Loader &) = delete;
  Loader &operator=(const Loader &) = delete;

  /// The next batch, or what is wrong with a sample in it. Without training n is 0 after the last one; there
  /// a batch also ends where the size of the pictures changes.
  Result<Batch> next();
  /// After the batches handed out so far.
  Position position() const;
  int64_t samplesPerEpoch() const;
  /// Channels that images really have: what the description asks for, or what the options say.
  int channels() const;

private:
  struct State;
  explicit Loader(std::unique_ptr<State> state);
  std::unique_ptr<State> state;
};

/// (value * range - mean) / deviation of each channel, in the order of channels that the format says.
void normalise(Planes &image, const InputFormat &format);

} // namespace segc::train
