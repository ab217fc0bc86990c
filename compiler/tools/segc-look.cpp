/// \file segc-look: pictures of what a network has learnt.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Look.h"
#include "llvm/Support/raw_ostream.h"

using namespace segc;

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options = ToolOptions::parse(
      argc, argv, options::LookTool,
      "segc-look classes MODEL.json -weights W -out SHEET.png [flags]\n"
      "       segc-look patches MODEL.json -weights W -data DIR -layer L -out SHEET.png [flags]",
      exitCode);
  if (!options)
    return exitCode;
  const std::vector<std::string> &words = options->positional();
  if (words.size() != 2)
    return fail("usage: segc-look classes|patches MODEL.json -out SHEET.png [flags]; -help says more");
  if (words[0] != "classes" && words[0] != "patches")
    return fail("there is no command '" + words[0] + "'; classes and patches exist" +
                suggestion(words[0], {"classes", "patches"}));
  if (llvm::StringRef(words[1]).ends_with(".so"))
    return fail("a library has only its outputs: give the MODEL.json");
  if (!options->has(options::OPT_out_eq))
    return fail("say where the sheet goes: -out sheet.png");
  Viewing viewing;
  if (!readViewing(*options, viewing))
    return 1;
  auto loaded = loadModel(*options, words[1], {}, false, exitCode);
  if (!loaded)
    return exitCode;
  return words[0] == "classes" ? lookClasses(*options, std::move(loaded), viewing)
                               : lookPatches(*options, std::move(loaded), viewing);
}
