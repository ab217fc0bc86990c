/// \file The rules of shared and global memory, word by word.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Memory.h"
#include <cstring>

namespace segc::emulate {
namespace {

std::string describe(const char *what, int thread, int at) {
  return "thread " + std::to_string(thread) + " " + what + " shared byte " + std::to_string(at);
}

} // namespace

GlobalMemory::GlobalMemory(const std::vector<Range> &given) {
  for (const Range &range : given)
    ranges.push_back({range, std::vector<bool>(range.writable ? range.bytes : 0)});
}

GlobalMemory::Tracked *GlobalMemory::find(const void *at, size_t bytes) {
  const char *p = static_cast<const char *>(at);
  for (Tracked &tracked : ranges) {
    const char *begin = static_cast<const char *>(tracked.range.begin);
    if (p >= begin && p + bytes <= begin + tracked.range.bytes)
      return &tracked;
  }
  return nullptr;
}

std::string GlobalMemory::read(const void *from, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(from) % bytes)
    return "a load of " + std::to_string(bytes) + " bytes is not aligned";
  const Tracked *tracked = find(from, bytes);
  if (!tracked)
    return "a load outside all given memory";
  const size_t first =
      size_t(static_cast<const char *>(from) - static_cast<const char *>(tracked->range.begin));
  for (size_t i = first; tracked->range.writable && i < first + bytes; i++)
    if (tracked->stored[i])
      return "a load of byte " + std::to_string(i) + " of a result, which this launch stores";
  return "";
}

std::string GlobalMemory::write(const void *to, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(to) % bytes)
    return "a store of " + std::to_string(bytes) + " bytes is not aligned";
  Tracked *tracked = find(to, bytes);
  if (!tracked || !tracked->range.writable)
    return "a store outside all memory given for results";
  const size_t first =
      size_t(static_cast<const char *>(to) - static_cast<const char *>(tracked->range.begin));
  for (size_t i = first; i < first + bytes; i++) {
    if (tracked->stored[i])
      return "byte " + std::to_string(i) + " of a result is stored twice";
    tracked->stored[i] = true;
  }
  return "";
}

SharedMemory::SharedMemory(int size, int threads)
    : bytes(size_t(size)), words(size_t(size) / 4), open(size_t(threads)), groups(size_t(threads)),
      unfenced(size_t(threads)) {
  reset();
}

void SharedMemory::reset() {
  std::memset(bytes.data(), 0xff, bytes.size()); // NaN in every format
  words.assign(words.size(), Word());
  for (auto &copies : open)
    copies.clear();
  for (auto &thread : groups)
    thread.clear();
  for (auto &thread : unfenced)
    thread.clear();
  epoch = 1;
}

std::string SharedMemory::check(int at, int size) const {
  if (at < 0 || size_t(at) + size_t(size) > bytes.size() || at % size)
    return "byte " + std::to_string(at) + " is beyond the block's shared memory, or not aligned to " +
           std::to_string(size);
  return "";
}

std::string SharedMemory::read(int thread, int at, int size) {
  if (std::string error = check(at, size); !error.empty())
    return error;
  for (int i = at / 4; i < (at + size) / 4; i++) {
    Word &word = words[size_t(i)];
    if (word.writer == -1)
      return describe("reads", thread, 4 * i) + ", which nobody has written";
    if (word.pending)
      return describe("reads", thread, 4 * i) + " while a copy to it is under way";
    if (word.writer != thread && word.written == epoch)
      return describe("reads", thread, 4 * i) + ", written by thread " + std::to_string(word.writer) +
             " with no barrier between";
    word.reader = word.wasRead != epoch || word.reader == thread ? thread : -2;
    word.wasRead = epoch;
  }
  return "";
}

std::string SharedMemory::write(int thread, int at, int size) {
  if (std::string error = check(at, size); !error.empty())
    return error;
  for (int i = at / 4; i < (at + size) / 4; i++) {
    Word &word = words[size_t(i)];
    if (word.pending)
      return describe("writes", thread, 4 * i) + " while a copy to it is under way";
    if (word.asyncReads)
      return describe("writes", thread, 4 * i) + " while a matrix product reads it";
    if (word.writer != -1 && word.writer != thread && word.written == epoch)
      return describe("writes", thread, 4 * i) + ", written by thread " + std::to_string(word.writer) +
             " with no barrier between";
    if (word.wasRead == epoch && word.reader != thread)
      return describe("writes", thread, 4 * i) + ", read by another thread with no barrier between";
    word.writer = thread;
    word.written = epoch;
    word.fenced = 0;
    unfenced[size_t(thread)].push_back(i);
  }
  return "";
}

std::string SharedMemory::copy(int thread, int at, const void *from, int read) {
  if (std::string error = write(thread, at, 16); !error.empty())
    return error;
  for (int i = at / 4; i < at / 4 + 4; i++)
    words[size_t(i)].pending = true;
  std::memset(data(at), 0xff, 16);
  open[size_t(thread)].push_back({at, from, read});
  return "";
}

void SharedMemory::commit(int thread) {
  groups[size_t(thread)].push_back(std::move(open[size_t(thread)]));
  open[size_t(thread)].clear();
}

void SharedMemory::wait(int thread, int pending) {
  auto &mine = groups[size_t(thread)];
  for (; int(mine.size()) > pending; mine.pop_front())
    for (const Copy &copy : mine.front()) {
      std::memset(data(copy.at), 0, 16);
      std::memcpy(data(copy.at), copy.from, size_t(copy.read));
      for (int i = copy.at / 4; i < copy.at / 4 + 4; i++) {
        words[size_t(i)].pending = false;
        words[size_t(i)].written = epoch;
        unfenced[size_t(thread)].push_back(i);
      }
    }
}

void SharedMemory::fenceAsync(int thread) {
  for (int i : unfenced[size_t(thread)])
    if (Word &word = words[size_t(i)]; word.writer == thread && !word.pending)
      word.fenced = epoch;
  unfenced[size_t(thread)].clear();
}

std::string SharedMemory::beginAsyncRead(int at) {
  if (std::string error = check(at, 16); !error.empty())
    return error;
  for (int i = at / 4; i < at / 4 + 4; i++) {
    Word &word = words[size_t(i)];
    const std::string what = "a matrix product reads shared byte " + std::to_string(4 * i);
    if (word.writer == -1)
      return what + ", which nobody has written";
    if (word.pending)
      return what + " while a copy to it is under way";
    if (!word.fenced)
      return what + ", written by thread " + std::to_string(word.writer) + " with no proxy fence behind";
    if (word.fenced == epoch)
      return what + ", fenced by thread " + std::to_string(word.writer) + " with no barrier between";
    word.asyncReads++;
  }
  return "";
}

/// Only those who have waited for the product know of its end; others need a barrier.
void SharedMemory::endAsyncRead(int at) {
  for (int i = at / 4; i < at / 4 + 4; i++) {
    Word &word = words[size_t(i)];
    word.asyncReads--;
    word.reader = -2;
    word.wasRead = epoch;
  }
}

std::string SharedMemory::end() const {
  for (size_t thread = 0; thread < groups.size(); thread++) {
    bool left = !open[thread].empty();
    for (const auto &group : groups[thread])
      left |= !group.empty();
    if (left)
      return "thread " + std::to_string(thread) + " ends with copies under way";
  }
  return "";
}

} // namespace segc::emulate
