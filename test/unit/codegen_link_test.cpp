/// \file Libraries out of stand-in kernels and core: what they define, need, compute and share.
// SPDX-License-Identifier: MIT
#include "codegen_support.h"
#include "compiler/codegen/Embedded.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <set>

using namespace llvm;
using namespace segc;
using namespace segc::test;

namespace {

Libraries link(const LinkInput &input, ArrayRef<uint8_t> core) {
  auto result = linkModel(input, core);
  if (auto *error = std::get_if<std::string>(&result)) {
    ADD_FAILURE() << *error;
    return {};
  }
  return std::get<Libraries>(result);
}
Libraries link(const LinkInput &input) { return link(input, standInCore()); }

std::string errorOf(const LinkInput &input, ArrayRef<uint8_t> core) {
  auto result = linkModel(input, core);
  auto *error = std::get_if<std::string>(&result);
  return error ? *error : "";
}
std::string errorOf(const LinkInput &input) { return errorOf(input, standInCore()); }

MemoryBufferRef buffer(const std::vector<uint8_t> &bytes) {
  return MemoryBufferRef(StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size()), "test");
}

std::vector<std::string> needed(const std::vector<uint8_t> &shared, std::string *soname = nullptr) {
  auto file = cantFail(object::ELFFile<object::ELF64LE>::create(buffer(shared).getBuffer()));
  std::vector<std::string> names;
  uint64_t strings = 0;
  const auto entries = cantFail(file.dynamicEntries());
  for (const auto &entry : entries)
    if (entry.d_tag == ELF::DT_STRTAB)
      strings = entry.getPtr();
  const auto text = [&](uint64_t offset) {
    return std::string(reinterpret_cast<const char *>(cantFail(file.toMappedAddr(strings + offset))));
  };
  for (const auto &entry : entries) {
    if (entry.d_tag == ELF::DT_NEEDED)
      names.push_back(text(entry.getVal()));
    if (entry.d_tag == ELF::DT_SONAME && soname)
      *soname = text(entry.getVal());
  }
  return names;
}

std::set<std::string> exported(const std::vector<uint8_t> &shared) {
  auto object = cantFail(object::ObjectFile::createELFObjectFile(buffer(shared)));
  std::set<std::string> names;
  for (const auto &symbol : cast<object::ELFObjectFileBase>(object.get())->getDynamicSymbolIterators())
    if (!(cantFail(symbol.getFlags()) & object::SymbolRef::SF_Undefined))
      names.insert(cantFail(symbol.getName()).str());
  return names;
}

std::set<std::string> archiveSymbols(const std::vector<uint8_t> &bytes) {
  auto archive = cantFail(object::Archive::create(buffer(bytes)));
  std::set<std::string> names;
  for (const auto &symbol : archive->symbols())
    names.insert(symbol.getName().str());
  return names;
}

/// A shared library on disk and in this process.
class Loaded {
public:
  Loaded(const std::string &path, const std::vector<uint8_t> &bytes, int flags = RTLD_LOCAL) {
    write(path, bytes);
    handle = dlopen(path.c_str(), RTLD_NOW | flags);
    EXPECT_TRUE(handle) << dlerror();
  }
  ~Loaded() {
    if (handle)
      dlclose(handle);
  }
  template <typename T = int> T call(const std::string &name) {
    auto *function = handle ? reinterpret_cast<T (*)()>(dlsym(handle, name.c_str())) : nullptr;
    EXPECT_TRUE(function) << name;
    return function ? function() : T();
  }

private:
  void *handle;
};

TEST(CodegenLink, RunsAndShowsOnlyItsNames) {
  TemporaryDirectory directory;
  const Libraries unet = link(model("unet", {kernel("k0", 40), kernel("k1", 1), kernel("k2", 0, "cos")}));
  std::set<std::string> names = {"unet_calls", "unet_sum", "unet_table", "unet_variant_number"};
  EXPECT_EQ(exported(unet.shared), names);
  names.insert("segc_pool_v1_count"); // models linked into one program share the pool
  EXPECT_EQ(archiveSymbols(unet.archive), names);
  std::string soname;
  EXPECT_EQ(needed(unet.shared, &soname), (std::vector<std::string>{"libc.so.6", "libm.so.6"}));
  EXPECT_EQ(soname, "libunet.so");
  Loaded library(directory / "libunet.so", unet.shared);
  EXPECT_EQ(library.call("unet_sum"), 42);
  EXPECT_EQ(library.call("unet_variant_number"), 1);
  EXPECT_EQ(library.call<uintptr_t>("unet_table") % 64, 0u);
}

TEST(CodegenLink, NeedsOnlyWhatIsCalled) {
  EXPECT_EQ(needed(link(model("a", {kernel("k", 1)})).shared), std::vector<std::string>{"libc.so.6"});
}

TEST(CodegenLink, NoPlaceInTheBytes) {
  const LinkInput input = model("unet", {kernel("k0", 40)});
  const Libraries first = link(input);
  TemporaryDirectory directory;
  const char *before = std::getenv("TMPDIR");
  setenv("TMPDIR", directory.path.c_str(), 1);
  const Libraries second = link(input);
  before ? setenv("TMPDIR", before, 1) : unsetenv("TMPDIR");
  EXPECT_EQ(first.archive, second.archive);
  EXPECT_EQ(first.shared, second.shared);
  const std::string bytes(first.shared.begin(), first.shared.end());
  EXPECT_EQ(bytes.find("segc-link"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(directory.path)) << "temporary files are left";
}

TEST(CodegenLink, TwoSharedLibrariesInOneProcess) {
  TemporaryDirectory directory;
  const Libraries one = link(model("one", {kernel("k", 1)})), two = link(model("two", {kernel("k", 2)}));
  Loaded first(directory / "libone.so", one.shared, RTLD_GLOBAL);
  Loaded second(directory / "libtwo.so", two.shared, RTLD_GLOBAL);
  EXPECT_EQ(first.call("one_sum"), 1);
  EXPECT_EQ(second.call("two_sum"), 2);
  // Each counts its own calls: nothing of one library binds to the other, not even with RTLD_GLOBAL.
  EXPECT_EQ(first.call("one_calls"), 1);
  EXPECT_EQ(second.call("two_calls"), 1);
}

TEST(CodegenLink, TwoArchivesInOneLink) {
  // What a program's linker does with both: no symbol twice, no group of one that the other lacks.
  const Libraries one = link(model("one", {kernel("k", 1)})), two = link(model("two", {kernel("k", 2)}));
  for (const Libraries *library : {&one, &two}) {
    auto archive = cantFail(object::Archive::create(buffer(library->archive)));
    Error error = Error::success();
    for (const auto &child : archive->children(error)) {
      auto binary = cantFail(child.getAsBinary());
      bool stackNote = false;
      for (const auto &section : cast<object::ELFObjectFileBase>(binary.get())->sections()) {
        EXPECT_NE(section.getName()->str(), ".group");
        stackNote |= *section.getName() == ".note.GNU-stack";
      }
      EXPECT_TRUE(stackNote) << "a program that links this would get an executable stack";
    }
    cantFail(std::move(error));
  }
}

TEST(CodegenLink, SeveralVariants) {
  TemporaryDirectory directory;
  LinkInput input = model("net", {kernel("wide", 5)});
  LinkInput narrow = model("net", {kernel("narrow", 6)});
  input.variants.push_back(narrow.variants[0]);
  input.kernels.push_back(narrow.kernels[0]);
  input.kernels.push_back(narrow.kernels[0]); // the same again is fine
  Loaded library(directory / "libnet.so", link(input).shared);
  EXPECT_EQ(library.call("net_variant_number"), 2);
  EXPECT_EQ(library.call("net_sum"), 5);
}

TEST(CodegenLink, Errors) {
  LinkInput twice = model("net", {kernel("k", 1)});
  twice.kernels.push_back(kernel("k", 2));
  EXPECT_NE(errorOf(twice).find("two different kernels have the symbol 'k'"), std::string::npos);

  LinkInput missing = model("net", {kernel("k", 1)});
  missing.variants[0].kernels.push_back("gone");
  EXPECT_NE(errorOf(missing).find("gone_argv"), std::string::npos);

  EXPECT_NE(errorOf(model("net", {kernel("k", 1, "halide_unknown")})).find("halide_unknown"),
            std::string::npos);

  LinkInput damaged = model("net", {kernel("k", 1)});
  damaged.kernels[0].bytes.resize(100);
  EXPECT_NE(errorOf(damaged).find("kernel 'k'"), std::string::npos);

  const std::string taken =
      errorOf(model("pthread", {kernel("k", 1)}), assemble("define i32 @segc_model_create() { ret i32 0 }"));
  EXPECT_NE(taken.find("pthread_create"), std::string::npos) << taken;
  EXPECT_NE(errorOf({"", {}, {}}), "");
  EXPECT_EQ(errorOf(model("net", {kernel("k", 1)})), ""); // the linker still works after failures
}

TEST(CodegenLink, PrefixesAreInjective) {
  EXPECT_EQ(cPrefix("unet_2"), "unet_2");
  EXPECT_EQ(cPrefix("unet.small"), "unet_x2esmall");
  EXPECT_EQ(cPrefix("2d"), "_x32d");
  EXPECT_EQ(cPrefix("int"), "_x69nt");
  EXPECT_EQ(cPrefix("\xc3\xa4"), "_xc3_xa4");
  const std::string names[] = {"a.b", "a_x2eb", "a_b",   "a-b",     "int",    "_x69nt", "x.",
                               "x_",  "_.",     "__x2e", "_x5fx2e", "_x",     "1",      "_x31",
                               "..",  "._x2e",  "_x2.",  "_x2_x2e", "_x5fx5f"};
  std::set<std::string> prefixes;
  for (const std::string &name : names)
    EXPECT_TRUE(prefixes.insert(cPrefix(name)).second) << name;
}

TEST(CodegenLink, TheRealCore) {
  TemporaryDirectory directory;
  const Libraries net = link(model("net", {kernel("k", 0)}), coreObject());
  const std::set<std::string> names = exported(net.shared);
  for (const std::string &name : names)
    EXPECT_TRUE(StringRef(name).starts_with("net_")) << name;
  EXPECT_TRUE(names.count("net_create") && names.count("net_run") && names.count("net_last_error"));
  EXPECT_FALSE(names.count("net_variants"));
  for (const std::string &library : needed(net.shared))
    EXPECT_TRUE(library == "libc.so.6" || library == "libm.so.6" || library == "libpthread.so.0") << library;
  Loaded library(directory / "libnet.so", net.shared);
  EXPECT_STREQ(library.call<const char *>("net_last_error"), "no error");
}

} // namespace
