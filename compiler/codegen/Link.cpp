/// \file The steps: data object, partial link, renaming and hiding, archive, shared library.
// SPDX-License-Identifier: MIT
#include "compiler/codegen/Link.h"
#include "lld/Common/Driver.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/InterfaceStub/ELFObjHandler.h"
#include "llvm/InterfaceStub/IFSStub.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <dlfcn.h>
#include <map>
#include <mutex>
#include <set>

LLD_HAS_DRIVER(elf)

using namespace llvm;

namespace segc {
namespace {

using Bytes = std::vector<uint8_t>;

constexpr StringLiteral kPrefix = "segc_model_", kPool = "segc_pool_";

struct LinkError {
  std::string text;
};
[[noreturn]] void fail(const Twine &text) { throw LinkError{text.str()}; }
void check(Error error, const Twine &what) {
  if (error)
    fail(what + ": " + toString(std::move(error)));
}
template <typename T> T check(Expected<T> value, const Twine &what) {
  check(value.takeError(), what);
  return std::move(*value);
}

/// A directory for the files that lld reads and writes; gone with its owner.
class Scratch {
public:
  Scratch() {
    if (std::error_code error = sys::fs::createUniqueDirectory("segc-link", path))
      fail("no directory for temporary files: " + error.message());
  }
  ~Scratch() { sys::fs::remove_directories(path); }

  std::string file(const Twine &name) const {
    SmallString<128> result(path);
    sys::path::append(result, name);
    return result.str().str();
  }
  std::string write(const Twine &name, ArrayRef<uint8_t> bytes) const {
    const std::string result = file(name);
    std::error_code error;
    raw_fd_ostream out(result, error);
    if (!error) {
      out << toStringRef(bytes);
      out.close();
      error = out.error();
    }
    out.clear_error();
    if (error)
      fail("cannot write " + result + ": " + error.message());
    return result;
  }

private:
  SmallString<128> path;
};

Bytes read(const std::string &path) {
  auto buffer = MemoryBuffer::getFile(path, false, false);
  if (!buffer)
    fail("cannot read " + path + ": " + buffer.getError().message());
  return Bytes((*buffer)->getBufferStart(), (*buffer)->getBufferEnd());
}

MemoryBufferRef reference(ArrayRef<uint8_t> bytes, StringRef name) {
  return MemoryBufferRef(toStringRef(bytes), name);
}

/// lld keeps its state in globals; `usable` turns false when a crash inside it left them unsound.
void runLinker(std::vector<std::string> arguments) {
  static std::mutex mutex;
  static bool usable = true;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!usable)
    fail("the linker crashed before and cannot run again in this process");
  arguments.insert(arguments.begin(), "ld.lld");
  std::vector<const char *> argv;
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string text;
  raw_string_ostream out(text);
  const lld::Result result = lld::lldMain(argv, out, out, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode != 0)
    fail("linking failed:\n" + text);
}

/// Symbols of an object that others see, and those it looks for.
struct Globals {
  std::vector<std::string> defined, undefined;
};
Globals globalsOf(ArrayRef<uint8_t> bytes, const Twine &what) {
  auto object = check(object::ObjectFile::createELFObjectFile(reference(bytes, "object")), what);
  auto *elf = dyn_cast<object::ELF64LEObjectFile>(object.get());
  if (!elf || elf->getArch() != Triple::x86_64)
    fail(what + ": not an x86-64 object");
  Globals result;
  for (const object::ELFSymbolRef symbol : elf->symbols()) {
    if (symbol.getBinding() == ELF::STB_LOCAL)
      continue;
    const uint32_t flags = check(symbol.getFlags(), what);
    const StringRef name = check(symbol.getName(), what);
    if (flags & object::SymbolRef::SF_Undefined)
      result.undefined.push_back(name.str());
    else if (symbol.getOther() == ELF::STV_DEFAULT)
      result.defined.push_back(name.str());
  }
  return result;
}

/// One object of everything, still under the core's names.
Bytes partialLink(const LinkInput &input, ArrayRef<uint8_t> core, const Scratch &scratch) {
  auto data = dataObject(input.variants);
  if (auto *error = std::get_if<std::string>(&data))
    fail(*error);
  // Without groups: their signatures are names, and the linker of a program would drop the second model's.
  std::vector<std::string> arguments = {"-r",
                                        "--force-group-allocation",
                                        "--threads=1",
                                        "-o",
                                        scratch.file("model.o"),
                                        scratch.write("core.o", core),
                                        scratch.write("data.o", std::get<Bytes>(data))};
  std::map<std::string, const KernelObject *> known;
  for (const KernelObject &kernel : input.kernels) {
    auto [entry, isNew] = known.try_emplace(kernel.symbol, &kernel);
    if (!isNew && entry->second->bytes != kernel.bytes)
      fail("two different kernels have the symbol '" + kernel.symbol + "'");
    if (!isNew)
      continue;
    globalsOf(kernel.bytes, "kernel '" + kernel.symbol + "'");
    arguments.push_back(scratch.write("kernel" + Twine(known.size()) + ".o", kernel.bytes));
  }
  runLinker(std::move(arguments));
  return read(scratch.file("model.o"));
}

/// The C library, of this machine; what it has under a name, it has on the user's too: the names in question
/// are those of POSIX and of the C standard.
bool inLibrary(const char *soname, const std::string &symbol) {
  void *const library = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);
  return library && dlsym(library, symbol.c_str());
}
bool inC(const std::string &symbol) { return inLibrary("libc.so.6", symbol); }
bool inMath(const std::string &symbol) { return inLibrary("libm.so.6", symbol); }

/// Renames the core's entry points and makes everything else local, except the pool.
Bytes rename(const Bytes &object, const std::string &prefix, ArrayRef<uint8_t> core) {
  objcopy::ConfigManager config;
  config.Common.OutputFilename = "model.o";
  const auto keep = [&](StringRef name) {
    check(config.Common.SymbolsToKeepGlobal.addMatcher(
              objcopy::NameOrPattern::create(name, objcopy::MatchStyle::Literal, [](Error e) { return e; })),
          "hiding symbols");
  };
  const Globals ofCore = globalsOf(core, "the runtime core"); // owns the names that the config refers to
  std::vector<std::string> renamed;
  renamed.reserve(ofCore.defined.size());
  for (const std::string &name : ofCore.defined) {
    StringRef rest = name;
    if (rest.starts_with(kPool))
      keep(name);
    if (!rest.consume_front(kPrefix))
      continue;
    renamed.push_back(prefix + "_" + rest.str());
    if (inC(renamed.back()) || inMath(renamed.back()))
      fail("the name makes a function '" + renamed.back() +
           "', which the C library has too; choose another name");
    keep(name);
    config.Common.SymbolsToRename[name] = renamed.back();
  }
  auto binary = check(object::createBinary(reference(object, "model.o")), "reading the linked object");
  SmallVector<char, 0> bytes;
  raw_svector_ostream out(bytes);
  check(objcopy::executeObjcopyOnBinary(config, *binary, out), "renaming symbols");
  return Bytes(bytes.begin(), bytes.end());
}

/// SONAMEs that the object needs. Before glibc 2.34 threads and dlopen were in libraries of their own.
std::vector<std::string> neededLibraries(const Bytes &object) {
  std::vector<std::string> missing;
  std::set<std::string> needed = {"libc.so.6"};
  for (const std::string &name : globalsOf(object, "the linked object").undefined) {
    if (name == "_GLOBAL_OFFSET_TABLE_") // the linker's own
      continue;
    if (inC(name)) {
      if (StringRef(name).starts_with("pthread_"))
        needed.insert("libpthread.so.0");
      if (name == "dlopen" || name == "dlsym")
        needed.insert("libdl.so.2");
    } else if (inMath(name)) {
      needed.insert("libm.so.6");
    } else {
      missing.push_back(name);
    }
  }
  if (!missing.empty())
    fail("undefined symbols, neither in the kernels and the runtime core nor in the C library: " +
         join(missing, ", "));
  return std::vector<std::string>(needed.begin(), needed.end());
}

/// An empty shared object: all that lld needs to write a NEEDED entry where no C library is installed for
/// development.
std::string stubLibrary(const std::string &soname, const Scratch &scratch) {
  ifs::IFSStub stub;
  stub.SoName = soname;
  stub.Target.Arch = ELF::EM_X86_64;
  stub.Target.BitWidth = ifs::IFSBitWidthType::IFS64;
  stub.Target.Endianness = ifs::IFSEndiannessType::Little;
  const std::string path = scratch.file(soname);
  check(ifs::writeBinaryStub(path, stub), "writing " + path);
  return path;
}

Bytes sharedLibrary(const Bytes &object, const std::string &prefix, const std::string &soname,
                    const Scratch &scratch) {
  const std::string exports = "{ global: " + prefix + "_*; local: *; };";
  std::vector<std::string> arguments = {"-shared",
                                        "--version-script=" +
                                            scratch.write("exports", Bytes(exports.begin(), exports.end())),
                                        "-soname",
                                        soname,
                                        "--build-id=sha1",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "now",
                                        "-z",
                                        "noexecstack",
                                        "--hash-style=gnu",
                                        "--eh-frame-hdr",
                                        "--gc-sections",
                                        "-Bsymbolic-non-weak-functions",
                                        "--threads=1",
                                        "--no-as-needed",
                                        "-o",
                                        scratch.file("model.so"),
                                        scratch.write("renamed.o", object)};
  for (const std::string &library : neededLibraries(object))
    arguments.push_back(stubLibrary(library, scratch));
  runLinker(std::move(arguments));
  return read(scratch.file("model.so"));
}

Bytes archive(const Bytes &object, const std::string &member) {
  NewArchiveMember entry(reference(object, member));
  auto buffer = check(writeArchiveToBuffer(entry, SymtabWritingMode::NormalSymtab, object::Archive::K_GNU,
                                           /*Deterministic=*/true, /*Thin=*/false),
                      "writing the archive");
  return Bytes(buffer->getBufferStart(), buffer->getBufferEnd());
}

bool isKeyword(StringRef name) {
  static const std::set<StringRef> words = {
      "alignas",   "alignof",  "and",      "asm",      "auto",    "bool",    "break",     "case",
      "catch",     "char",     "class",    "compl",    "concept", "const",   "consteval", "constexpr",
      "constinit", "continue", "decltype", "default",  "delete",  "do",      "double",    "else",
      "enum",      "explicit", "export",   "extern",   "false",   "float",   "for",       "friend",
      "goto",      "if",       "inline",   "int",      "long",    "mutable", "namespace", "new",
      "noexcept",  "not",      "nullptr",  "operator", "or",      "private", "protected", "public",
      "register",  "requires", "restrict", "return",   "short",   "signed",  "sizeof",    "static",
      "struct",    "switch",   "template", "this",     "throw",   "true",    "try",       "typedef",
      "typeid",    "typename", "union",    "unsigned", "using",   "virtual", "void",      "volatile",
      "while",     "xor"};
  return words.count(name) != 0;
}

} // namespace

std::string cPrefix(const std::string &name) {
  const auto isDigit = [](char c) { return c >= '0' && c <= '9'; };
  const auto isHex = [&](char c) { return isDigit(c) || (c >= 'a' && c <= 'f'); };
  const auto isWord = [&](char c) {
    return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  std::string result;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool looksEscaped = name[i] == '_' && i + 3 < name.size() && name[i + 1] == 'x' &&
                              isHex(name[i + 2]) && isHex(name[i + 3]);
    const bool badStart = i == 0 && (isDigit(name[0]) || isKeyword(name));
    if (isWord(name[i]) && !looksEscaped && !badStart)
      result += name[i];
    else
      result += "_x" + utohexstr(uint8_t(name[i]), /*LowerCase=*/true, /*Width=*/2);
  }
  return result;
}

std::variant<Libraries, std::string> linkModel(const LinkInput &input, ArrayRef<uint8_t> core) {
  try {
    if (input.name.empty() || input.variants.empty())
      fail("a model needs a name and at least one variant");
    const std::string prefix = cPrefix(input.name);
    const Scratch scratch;
    const Bytes object = rename(partialLink(input, core, scratch), prefix, core);
    return Libraries{archive(object, prefix + ".o"),
                     sharedLibrary(object, prefix, "lib" + prefix + ".so", scratch)};
  } catch (const LinkError &error) {
    return "model '" + input.name + "': " + error.text;
  }
}

} // namespace segc
