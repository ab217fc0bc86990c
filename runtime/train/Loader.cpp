/// \file Loader: workers that fill a window of samples, which next() empties in order.
// SPDX-License-Identifier: MIT
#include "runtime/train/Loader.h"
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

namespace segc::train {

void normalise(Planes &image, const InputFormat &format) {
  auto entry = [](const std::vector<double> &list, int64_t c, double fallback) {
    return list.empty() ? fallback : list.size() == 1 ? list[0] : list[size_t(c)];
  };
  const int64_t plane = image.height * image.width;
  if (format.bgr && image.channels == 3)
    std::swap_ranges(image.row(0, 0), image.row(0, 0) + plane, image.row(2, 0));
  for (int64_t c = 0; c < image.channels; ++c) {
    const auto factor = float(format.range / entry(format.deviation, c, 1)),
               offset = float(entry(format.mean, c, 0) / entry(format.deviation, c, 1));
    float *values = image.row(c, 0);
    for (int64_t i = 0; i < plane; ++i)
      values[i] = values[i] * factor - offset;
  }
}

namespace {

/// A sample that waits for its turn.
struct Slot {
  Sample sample;
  int64_t item = 0;
  pictures::Margins margins;
  std::optional<Failure> failure;
};

/// Decoded pictures, as many as fit; first come, first kept.
class Cache {
public:
  Cache(const Dataset &dataset, const std::vector<Item> &items, int64_t budget)
      : dataset(dataset), items(items), left(budget), kept(items.size()) {}

  Result<std::shared_ptr<const Example>> get(int64_t item) {
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (kept[size_t(item)])
        return kept[size_t(item)];
    }
    Result<Example> loaded = dataset.load(items[size_t(item)]);
    if (const Failure *failure = failureOf(loaded))
      return *failure;
    auto example = std::make_shared<const Example>(std::move(std::get<Example>(loaded)));
    const auto bytes = int64_t(example->image.bytes.size() +
                               4 * (example->labels.values.size() + example->weights.values.size()));
    std::lock_guard<std::mutex> lock(mutex);
    if (bytes <= left && !kept[size_t(item)]) {
      left -= bytes;
      kept[size_t(item)] = example;
    }
    return std::shared_ptr<const Example>(example);
  }

private:
  const Dataset &dataset;
  const std::vector<Item> &items;
  std::mutex mutex;
  int64_t left;
  std::vector<std::shared_ptr<const Example>> kept;
};

bool same(const pictures::Margins &a, const pictures::Margins &b) {
  return a.top == b.top && a.left == b.left && a.bottom == b.bottom && a.right == b.right;
}

/// Brings whole pictures to multiples: mirrored pixels, ignored labels.
void padSample(Slot &slot, int64_t multiple) {
  Sample &sample = slot.sample;
  slot.margins = pictures::marginsToMultiple(sample.image.height, sample.image.width, multiple);
  const pictures::Margins &m = slot.margins;
  if (m.top + m.left + m.bottom + m.right == 0)
    return;
  sample.image = pictures::pad(sample.image, m, pictures::Edge::Reflect);
  if (!sample.weights.values.empty())
    sample.weights = pictures::pad(sample.weights, m, pictures::Edge::Zero);
  Labels padded(sample.image.width, sample.image.height, ignored);
  for (int64_t y = 0; y < sample.labels.height; ++y)
    for (int64_t x = 0; x < sample.labels.width; ++x)
      padded.at(m.left + x, m.top + y) = sample.labels.at(x, y);
  sample.labels = std::move(padded);
}

} // namespace

struct Loader::State {
  State(const Dataset &dataset, const std::vector<Item> &items, const LoaderOptions &options, Position start)
      : dataset(dataset), items(items), options(options), cache(dataset, items, options.cacheBytes),
        next(start.epoch * count() + start.index), ticket(next), end(options.training ? INT64_MAX : count()) {
    const InputFormat &format = dataset.description().input;
    channels = format.channels ? format.channels : options.channels;
    window = std::max<int64_t>(2 * options.batch, options.threads + 1);
    for (int i = 0; i < options.threads; ++i)
      try {
        workers.emplace_back([this] { work(); });
      } catch (const std::system_error &) {
        if (workers.empty())
          throw; // one thread is enough for the same bytes
      }
  }
  ~State() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      stopping = true;
    }
    room.notify_all();
    for (std::thread &worker : workers)
      worker.join();
  }

  int64_t count() const { return int64_t(items.size()); }

  /// The item that stands at `index` in `epoch`. Called with the mutex held.
  int64_t itemAt(int64_t epoch, int64_t index) {
    if (!options.training)
      return index;
    std::vector<int64_t> &order = orders[epoch];
    if (order.empty()) {
      for (int64_t i = 0; i < count(); ++i)
        order.push_back(i);
      // Samples are numbered from 0, so this stream of random numbers is no sample's.
      Random(options.seed, uint64_t(epoch), ~uint64_t(0)).shuffle(order);
      while (orders.size() > 3 && orders.begin()->first < epoch - 1)
        orders.erase(orders.begin());
    }
    return orders[epoch][size_t(index)];
  }

  void work() {
    for (;;) {
      int64_t mine, epoch, item;
      {
        std::unique_lock<std::mutex> lock(mutex);
        room.wait(lock, [&] { return stopping || (ticket < end && ticket < next + window); });
        if (stopping)
          return;
        mine = ticket++;
        epoch = mine / count();
        item = itemAt(epoch, mine % count());
      }
      Slot slot;
      slot.item = item;
      try {
        fill(slot, epoch);
      } catch (const std::exception &error) {
        slot.failure = items[size_t(item)].image + ": cannot be prepared: " + error.what();
      }
      std::lock_guard<std::mutex> lock(mutex);
      ready.emplace(mine, std::move(slot));
      arrived.notify_all();
    }
  }

  void fill(Slot &slot, int64_t epoch) {
    Result<std::shared_ptr<const Example>> example = cache.get(slot.item);
    if (const Failure *failure = failureOf(example)) {
      slot.failure = *failure;
      return;
    }
    const InputFormat &format = dataset.description().input;
    Random random(options.seed, uint64_t(epoch), uint64_t(slot.item));
    slot.sample = augment(*std::get<0>(example), channels, format.white, options.height, options.width,
                          options.augmentation, random);
    normalise(slot.sample.image, format);
    if (!options.training)
      padSample(slot, options.multiple);
  }

  /// Waits for sample `number`; it stays where it is.
  Slot &wait(std::unique_lock<std::mutex> &lock, int64_t number) {
    arrived.wait(lock, [&] { return ready.count(number) > 0; });
    return ready[number];
  }

  const Dataset &dataset;
  const std::vector<Item> &items;
  const LoaderOptions options;
  Cache cache;
  int channels;
  int64_t window; ///< samples that may wait

  std::mutex mutex;
  std::condition_variable room, arrived;
  int64_t next;   ///< the first sample not handed out
  int64_t ticket; ///< the first sample nobody has begun
  int64_t end;
  bool stopping = false;
  std::map<int64_t, Slot> ready;
  std::map<int64_t, std::vector<int64_t>> orders; ///< of the epochs in use
  std::vector<std::thread> workers;
};

Loader::Loader(std::unique_ptr<State> state) : state(std::move(state)) {}
Loader::~Loader() = default;

Result<std::unique_ptr<Loader>> Loader::create(const Dataset &dataset, const LoaderOptions &options,
                                               Position start) try {
  Result<const std::vector<Item> *> items = dataset.items(options.split);
  if (const Failure *failure = failureOf(items))
    return *failure;
  const std::vector<Item> &list = *std::get<0>(items);
  const std::string where = dataset.description().file + ": split '" + options.split + "'";
  const InputFormat &format = dataset.description().input;
  const int channels = format.channels ? format.channels : options.channels;
  if (options.batch < 1 || options.threads < 1 || options.threads > 256 || options.height < 0 ||
      options.width < 0 || options.multiple < 1)
    return where +
           ": a loader needs a batch of at least 1, 1 to 256 threads and extents that are not negative";
  if (channels != 1 && channels != 3)
    return where + ": pictures have 1 or 3 channels, the network wants " + std::to_string(channels);
  if (format.channels && options.channels != format.channels)
    return where + ": 'input' says " + std::to_string(format.channels) + " channels, the network has " +
           std::to_string(options.channels);
  for (const std::vector<double> *numbers : {&format.mean, &format.deviation})
    if (numbers->size() > 1 && int(numbers->size()) != channels)
      return where + ": 'mean' and 'std' have " + std::to_string(numbers->size()) + " numbers for " +
             std::to_string(channels) + " channels";
  if (start.epoch < 0 || start.index < 0 || start.index >= int64_t(list.size()))
    return where + ": has " + std::to_string(list.size()) + " pictures, so a run cannot stand at picture " +
           std::to_string(start.index) + " of epoch " + std::to_string(start.epoch) +
           "; was it another data set?";
  return std::unique_ptr<Loader>(new Loader(std::make_unique<State>(dataset, list, options, start)));
} catch (const std::exception &error) {
  return dataset.description().file + ": a loader cannot be started: " + error.what();
}

Result<Batch> Loader::next() {
  State &s = *state;
  const bool weighted = s.dataset.weighted();
  std::unique_lock<std::mutex> lock(s.mutex);
  Batch batch;
  while (batch.n < s.options.batch && s.next < s.end) {
    Slot &slot = s.wait(lock, s.next);
    if (slot.failure)
      return *slot.failure;
    const Planes &image = slot.sample.image;
    if (batch.n == 0) {
      batch.channels = image.channels;
      batch.height = image.height;
      batch.width = image.width;
      batch.margins = slot.margins;
    } else if (image.height != batch.height || image.width != batch.width ||
               !same(slot.margins, batch.margins)) {
      if (!s.options.training)
        break;
      return s.items[size_t(slot.item)].image + ": has " + std::to_string(image.width) + " x " +
             std::to_string(image.height) + " pixels, " + batch.names.back() + " in the same batch has " +
             std::to_string(batch.width) + " x " + std::to_string(batch.height) +
             "; give the size of the crops, or a batch of 1";
    }
    batch.images.insert(batch.images.end(), image.values.begin(), image.values.end());
    for (int32_t label : slot.sample.labels.values)
      batch.masks.push_back(label == ignored ? s.options.ignore : label);
    if (weighted)
      batch.weights.insert(batch.weights.end(), slot.sample.weights.values.begin(),
                           slot.sample.weights.values.end());
    batch.names.push_back(s.items[size_t(slot.item)].name);
    batch.items.push_back(slot.item);
    ++batch.n;
    s.ready.erase(s.next++);
    s.room.notify_all();
  }
  return batch;
}

Position Loader::position() const {
  std::lock_guard<std::mutex> lock(state->mutex);
  return {state->next / state->count(), state->next % state->count()};
}

int64_t Loader::samplesPerEpoch() const { return state->count(); }
int Loader::channels() const { return state->channels; }

} // namespace segc::train
