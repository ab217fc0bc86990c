/// \file Code and launches of the driver of fake_cuda.cpp: what a kernel is given must be the program's.
// SPDX-License-Identifier: MIT
#include "runtime/core/TensorCoreArguments.h"
#include "test/unit/fake_cuda_state.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace segc::fake;

namespace {

/// "name" of ".entry name(".
std::string entryName(const char *entry) {
  entry += std::strlen(".entry ");
  return std::string(entry, std::strchr(entry, '('));
}

/// Bytes of the structure that is a kernel's only argument; 0 if it takes others.
size_t structureBytes(const char *entry) {
  const char *parameter = std::strstr(entry, ".param ");
  unsigned align = 0, bytes = 0;
  char name[400];
  return parameter && std::sscanf(parameter, ".param .align %u .b8 %399[^[][%u]", &align, name, &bytes) == 3
             ? bytes
             : 0;
}

/// The bytes of each of an entry's parameters, read off its PTX: ".entry name(\n.param .u64 .ptr … name_0,
/// …)".
std::vector<size_t> parametersOf(const char *entry) {
  std::vector<size_t> sizes;
  const std::string list(entry, std::strcspn(entry, ")"));
  for (size_t at = 0; (at = list.find(".param .", at)) != std::string::npos; ++at)
    sizes.push_back(size_t(std::atoi(list.c_str() + at + std::strlen(".param .b"))) / 8);
  return sizes;
}

/// What a kernel on tensor cores reads and writes first and last lies in memory that was given away, 16 bytes
/// at aligned places. Weight gradients have partial sums in place of weights.
bool ownsTensors(const segc::tensorcore::Arguments &a) {
  auto octets = [](const segc::tensorcore::View &v, int n, int h, int w) {
    return (n - 1L) * v.image + (h - 1L) * v.row + (w - 1L) * v.pixel;
  };
  auto owned = [&](const void *at, long offset) {
    const auto address = reinterpret_cast<Address>(at);
    return address % 16 == 0 && state.owns(address, size_t(offset) + 16);
  };
  auto none = [&](const void *at, long offset) { return !at || owned(at, offset); };
  // In 16 bits an octet has 16 bytes, in f32 more.
  const bool phases = a.inHeight >= 1 << 29; // any pixel counts as being there
  bool good = owned(a.x[0].data, phases ? 0 : 16 * octets(a.x[0], a.images, a.inHeight, a.inWidth)) &&
              owned(a.y.data, 16 * octets(a.y, a.images, a.height, a.width)) && none(a.weights, 0) &&
              none(a.partial, 0) && (a.weights || a.partial) && none(a.pooled.data, 0);
  for (const segc::tensorcore::View &tensor : a.tensors)
    good = good && none(tensor.data, 16 * octets(tensor, a.images, a.height, a.width));
  for (const float *vector : a.vectors)
    good = good && none(vector, 0);
  return good;
}

/// All memory that a kernel on tensor cores is told of.
std::vector<Address> addressesOf(const segc::tensorcore::Arguments &a) {
  std::vector<const void *> all = {a.x[0].data, a.y.data, a.weights, a.partial, a.pooled.data, a.index.data};
  for (const segc::tensorcore::View &tensor : a.tensors)
    all.push_back(tensor.data);
  all.insert(all.end(), std::begin(a.vectors), std::end(a.vectors));
  std::vector<Address> result;
  for (const void *at : all)
    result.push_back(reinterpret_cast<Address>(at));
  return result;
}

/// What stands for computing: the first number behind each address becomes one that depends on the kernel and
/// on what lies behind all of them in their blocks, so that results tell who computed what in which
/// order.
void stir(const std::string &name, const std::vector<Address> &addresses) {
  if (!setting("stir", 0))
    return;
  constexpr size_t kStirred = 4096; // bytes
  unsigned hash = 2166136261u;      // FNV-1a
  const auto take = [&hash](const char *bytes, size_t count) {
    for (size_t i = 0; i < count; ++i)
      hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 16777619u;
  };
  take(name.data(), name.size());
  for (Address at : addresses)
    if (const auto block = state.blockOf(at); block != state.blocks.end())
      take(reinterpret_cast<const char *>(at),
           std::min<size_t>(block->first + block->second.bytes - at, kStirred));
  for (Address at : addresses)
    if (state.owns(at, sizeof(float))) {
      hash = hash * 16777619u + 1;
      const float value = float(hash >> 8) * 0x1p-24f;
      std::memcpy(reinterpret_cast<void *>(at), &value, sizeof value);
    }
}

/// What every kernel does to the stream and to memory.
void work(Stream &stream, const Module *module, const std::string &name,
          const std::vector<Address> &addresses) {
  ++state.launches;
  stream.modules.insert(module);
  for (Address at : addresses)
    state.touch(stream, at);
  stir(name, addresses);
}

} // namespace

extern "C" {

/// What stands for machine code here: four letters, the architecture, then PTX (test/e2e/Inputs/ptxas).
int cuModuleLoadDataEx(void **module, const void *code, unsigned, int *, void **) {
  const Call call(__func__);
  int architecture = 0;
  const char *const text = static_cast<const char *>(code);
  const bool isImage = std::sscanf(text, "\177ELF sm_%d", &architecture) == 1;
  if (setting("loads", 0))
    std::fprintf(stderr, "fake cuda: loads %s for %d\n", isImage ? "machine code" : "PTX", architecture);
  if (const int error = int(setting(isImage ? "image" : "module", 0)))
    return error;
  if (!isImage && !std::strncmp(text, "\177ELF", 4))
    return kNoBinary; // of CUDA's own assembler
  if (isImage && reinterpret_cast<uintptr_t>(code) % 16 != 0)
    state.misuse("machine code that is not aligned");
  const char *const target = std::strstr(text, ".target sm_");
  const bool is90a = target && !std::strncmp(target, ".target sm_90a", 14);
  const bool runs90a = setting("capability", 90) == 90 && setting("version", 12040) >= 12000;
  if (const int error =
          state.checkUnsafe(target && (is90a ? runs90a : !std::strncmp(target, ".target sm_80", 13))))
    return error;
  ++state.loads;
  *module = state.modules.insert(std::make_unique<Module>(Module{text, {}})).first->get();
  return 0;
}
int cuModuleUnload(void *module) {
  const Call call(__func__);
  return state.unload(static_cast<Module *>(module));
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  const Call call(__func__);
  Module &of = *static_cast<Module *>(module);
  const char *const entry = std::strstr(of.code, (std::string(".entry ") + name + "(").c_str());
  *function = entry ? &of.functions.try_emplace(name, Function{&of, entry}).first->second : nullptr;
  return state.check(entry != nullptr);
}
int cuFuncSetAttribute(void *handle, int attribute, int value) {
  const Call call(__func__);
  Function *const function = state.findFunction(handle);
  if (!function)
    return kInvalidHandle;
  function->sharedBytes = unsigned(value);
  const int error = int(setting("attribute", 0));
  return error ? error : state.check(attribute == 8 && value <= 227 * 1024);
}
int cuLaunchKernel(void *handle, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty, unsigned tz,
                   unsigned shared, void *stream, void **arguments, void **) {
  const Call call(__func__);
  if (const int error = int(setting("launch", 0)))
    return error;
  const Function *const function = state.findFunction(handle);
  if (!function)
    return kInvalidHandle;
  state.plainLaunches += !state.captures.count(stream);
  const bool fits = bx > 0 && by > 0 && by < 65536 && bz > 0 && bz < 65536 && tx * ty * tz <= 1024 &&
                    shared <= function->sharedBytes;
  const Module *const module = function->module;
  const std::string name = entryName(function->entry);
  if (const size_t bytes = structureBytes(function->entry)) {
    const auto a = *static_cast<const segc::tensorcore::Arguments *>(arguments[0]);
    return state.submit(stream, [=](Stream &in) {
      work(in, module, name, addressesOf(a));
      if (setting("cores", 0))
        std::fprintf(stderr, "%s grid %u %u %u threads %u shared %u bytes %zu\n", name.c_str(), bx, by, bz,
                     tx, shared, bytes);
      return state.check(fits && bytes == sizeof a && ownsTensors(a));
    });
  }
  // The arguments are read now, whenever it is done. Every kernel has a buffer.
  const std::vector<size_t> sizes = parametersOf(function->entry);
  std::vector<Address> values, addresses;
  for (size_t i = 0; i < sizes.size(); ++i) {
    std::memcpy(&values.emplace_back(0), arguments[i], sizes[i]);
    if (sizes[i] == sizeof(Address))
      addresses.push_back(values.back());
  }
  return state.submit(stream, [=](Stream &in) {
    work(in, module, name, addresses);
    std::vector<std::string> words = {".entry " + name};
    for (unsigned number : {bx, by, bz, tx, ty, tz, shared})
      words.push_back(std::to_string(number));
    for (size_t i = 0; i < sizes.size(); ++i)
      words.push_back(sizes[i] == 8 ? state.placeOf(values[i]) : std::to_string(values[i]));
    words.push_back("on " + std::to_string(in.number));
    trace("launch", words);
    return state.check(fits && !values.empty() && state.owns(values[0], 4));
  });
}
}
