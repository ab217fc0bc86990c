/// \file segc-run: runs a model or a compiled library on tensors or pictures, through the library's C
/// interface only.
// SPDX-License-Identifier: MIT
#include "compiler/tools/OpenModel.h"
#include "compiler/tools/Predict.h"
#include "compiler/tools/RunTraining.h"
#include "runtime/pictures/File.h"
#include "runtime/pictures/Overlay.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace segc;

namespace {

/// The time of each step, summed over runs.
struct Profile {
  std::vector<std::pair<std::string, uint64_t>> steps;
  static void observe(void *user, int step, const char *layers, const char *problem, uint64_t nanoseconds) {
    auto &steps = static_cast<Profile *>(user)->steps;
    if (steps.size() <= static_cast<size_t>(step))
      steps.resize(step + 1);
    steps[step].first = std::string(layers) + "  " + problem;
    steps[step].second += nanoseconds;
  }
  void print(int64_t runs) const {
    uint64_t total = 0;
    for (auto &[name, time] : steps)
      total += time;
    for (auto &[name, time] : steps)
      llvm::errs() << llvm::format("%9.3f ms %5.1f %%  ", 1e-6 * double(time) / double(runs),
                                   100.0 * double(time) / double(total))
                   << name << "\n";
  }
};

int writeTensors(const std::string &path, const std::vector<OutputTensor> &outputs) {
  files::TensorFile file;
  for (const OutputTensor &output : outputs) {
    files::Tensor tensor;
    tensor.name = output.name;
    tensor.dtype = output.isInteger ? files::DType::I32 : files::DType::F32;
    tensor.shape = output.shape;
    const auto *bytes = output.isInteger ? reinterpret_cast<const uint8_t *>(output.integers.data())
                                         : reinterpret_cast<const uint8_t *>(output.floats.data());
    tensor.bytes.assign(bytes,
                        bytes + 4 * (output.isInteger ? output.integers.size() : output.floats.size()));
    file.tensors.push_back(std::move(tensor));
  }
  if (auto why = files::write(path, file))
    return fail(*why);
  return 0;
}

int runPicture(const ToolOptions &options, Instance &instance, int repeat, double milliseconds[2]) {
  auto read = pictures::readPicture(options.value(options::OPT_image_eq));
  if (auto *why = std::get_if<pictures::Failure>(&read))
    return fail(*why);
  auto &picture = std::get<pictures::Picture>(read);
  pictures::Picture classes;
  std::string note;
  if (auto why = segmentPicture(instance, picture, repeat, classes, note, milliseconds))
    return fail(*why);
  if (!note.empty())
    llvm::errs() << note << "\n";
  classes.palette = pictures::vocPalette();
  if (options.has(options::OPT_mask_eq))
    if (auto why = pictures::writePicture(options.value(options::OPT_mask_eq), classes))
      return fail(*why);
  if (options.has(options::OPT_overlay_eq)) {
    auto blended = pictures::overlay(picture, classes);
    if (auto *why = std::get_if<pictures::Failure>(&blended))
      return fail(*why);
    if (auto why = pictures::writePicture(options.value(options::OPT_overlay_eq),
                                          std::get<pictures::Picture>(blended)))
      return fail(*why);
  }
  return 0;
}

bool isTraining(const ToolOptions &options) {
  return options.value(options::OPT_mode_eq, "infer") == "train";
}

int runTensors(const ToolOptions &options, Instance &instance, int repeat, double milliseconds[2]) {
  auto read = files::read(options.value(options::OPT_inputs_eq));
  if (auto *why = std::get_if<std::string>(&read))
    return fail(*why);
  auto &file = std::get<files::TensorFile>(read);
  std::vector<std::vector<uint8_t>> storage;
  std::vector<segc_model_tensor> inputs;
  std::vector<OutputTensor> outputs;
  if (isTraining(options)) {
    if (auto why = runTrainingStep(instance, file, repeat, outputs, milliseconds))
      return fail(*why);
  } else {
    if (auto why = bindInputs(instance, file, storage, inputs))
      return fail(*why);
    if (auto why = runModel(instance, inputs, repeat, outputs, milliseconds))
      return fail(*why);
  }
  return options.has(options::OPT_outputs_eq) ? writeTensors(options.value(options::OPT_outputs_eq), outputs)
                                              : 0;
}

int run(const ToolOptions &options, const OpenedModel &opened) {
  const Library &library = *opened.library;
  Instance instance(library);
  auto repeat = options.number(options::OPT_repeat_eq, 1, 1, 1000000);
  if (!repeat || !createInstance(options, opened, instance))
    return 1;
  if (options.has(options::OPT_check_finite)) {
    if (!library.setCheckFinite)
      return fail("-check-finite goes with -mode train");
    if (library.setCheckFinite(instance.model, 1))
      return fail(library.lastError());
  }
  Profile profile;
  if (options.has(options::OPT_profile))
    library.setObserver(instance.model, Profile::observe, &profile);
  double milliseconds[2] = {0, 0};
  int code = options.has(options::OPT_image_eq)
                 ? runPicture(options, instance, static_cast<int>(*repeat), milliseconds)
                 : runTensors(options, instance, static_cast<int>(*repeat), milliseconds);
  if (code)
    return code;
  if (*repeat > 1)
    llvm::errs() << llvm::format("%d runs: least %.3f ms, median %.3f ms\n", static_cast<int>(*repeat),
                                 milliseconds[0], milliseconds[1]);
  if (options.has(options::OPT_profile))
    profile.print(*repeat);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options = ToolOptions::parse(
      argc, argv, options::RunTool,
      "segc-run MODEL.json|libNAME.so -weights W (-inputs IN -outputs OUT | -image PNG -mask PNG) [flags]",
      exitCode);
  if (!options)
    return exitCode;
  if (options->positional().size() != 1)
    return fail("give one model or library (-help shows how)");
  if (isTraining(*options) && options->has(options::OPT_image_eq))
    return fail("-mode train needs -inputs FILE: a picture has no targets");
  if (options->has(options::OPT_inputs_eq) == options->has(options::OPT_image_eq))
    return fail("give either -inputs FILE or -image PNG");
  for (unsigned id : {unsigned(options::OPT_mask_eq), unsigned(options::OPT_overlay_eq)})
    if (options->has(id) && !options->has(options::OPT_image_eq))
      return fail("-mask and -overlay go with -image");
  if (options->has(options::OPT_outputs_eq) && options->has(options::OPT_image_eq))
    return fail("-outputs goes with -inputs; a picture's classes go to -mask and -overlay");
  std::vector<std::string> tensors;
  llvm::SmallVector<llvm::StringRef> names;
  std::string list = options->value(options::OPT_tensors_eq);
  llvm::StringRef(list).split(names, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef name : names)
    tensors.push_back(name.str());
  auto opened = openModel(*options, options->positional()[0], tensors, exitCode);
  return opened ? run(*options, *opened) : exitCode;
}
