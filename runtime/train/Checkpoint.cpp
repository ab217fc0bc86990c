/// \file Checkpoint: its JSON and its tensors.
// SPDX-License-Identifier: MIT
#include "runtime/train/Checkpoint.h"
#include "runtime/files/WriteWhole.h"
#include <cmath>
#include <cstring>

namespace segc::train {
namespace {

constexpr char metadataKey[] = "segc.checkpoint";
constexpr char format[] = "segc-checkpoint/1";

Json jsonOf(const Checkpoint &checkpoint) {
  const RunState &state = checkpoint.state;
  Json json = {{"format", format},
               {"model", checkpoint.model},
               {"seed", checkpoint.seed},
               {"steps", state.steps},
               {"phase", state.phase},
               {"phase_steps", state.phaseSteps},
               {"epoch", state.position.epoch},
               {"index", state.position.index},
               {"judged_step", state.judgedStep},
               {"best", state.best ? Json(*state.best) : Json()},
               {"best_step", state.bestStep},
               {"since_best", state.sinceBest},
               {"loss_sums", state.lossSums},
               {"loss_count", state.lossCount}};
  if (state.scaling)
    json.update({{"loss_scale", state.scaling->scale},
                 {"good_steps", state.scaling->goodSteps},
                 {"updates", state.scaling->updates}});
  return json;
}

Result<Checkpoint> fromJson(const Json &json, const std::string &path) {
  Checkpoint result;
  Fields fields(json, path);
  if (fields.text("format", "") != format)
    fields.fail("format", std::string("must be ") + format);
  constexpr int64_t most = int64_t(1) << 53;
  auto count = [&](const char *name) { return fields.integer(name, 0, 0, most); };
  RunState &state = result.state;
  result.model = fields.text("model", "");
  result.seed = uint64_t(count("seed"));
  state.steps = count("steps");
  state.phase = count("phase");
  state.phaseSteps = count("phase_steps");
  state.position = {count("epoch"), count("index")};
  state.judgedStep = count("judged_step");
  if (const Json *best = fields.value("best"); best && best->is_number())
    state.best = best->get<double>();
  state.bestStep = count("best_step");
  state.sinceBest = count("since_best");
  state.lossSums = fields.numbers("loss_sums", -1e300, 1e300);
  state.lossCount = count("loss_count");
  const int64_t goodSteps = count("good_steps"), updates = count("updates");
  if (const Json *scale = fields.value("loss_scale"); scale && scale->is_number())
    state.scaling = {scale->get<double>(), goodSteps, updates};
  if (std::optional<Failure> failure = fields.finish())
    return *failure;
  return result;
}

bool allFinite(const files::Tensor &tensor) {
  for (size_t i = 0; i < tensor.bytes.size(); i += sizeof(float)) {
    float value;
    memcpy(&value, tensor.bytes.data() + i, sizeof value);
    if (!std::isfinite(value))
      return false;
  }
  return true;
}

} // namespace

bool isTrainingState(const std::string &tensor) { return tensor.find('/') != std::string::npos; }

std::optional<Failure> writeCheckpoint(const std::string &path, const Checkpoint &checkpoint) {
  files::TensorFile file;
  file.metadata[metadataKey] = jsonOf(checkpoint).dump();
  for (const files::Tensor &tensor : checkpoint.tensors)
    if (!allFinite(tensor))
      return path + ": is not written, for '" + tensor.name + "' is not finite after step " +
             std::to_string(checkpoint.state.steps);
  file.tensors = checkpoint.tensors;
  return files::write(path, file);
}

Result<Checkpoint> readCheckpoint(const std::string &path) {
  std::variant<files::TensorFile, std::string> read = files::read(path);
  if (const auto *problem = std::get_if<std::string>(&read))
    return *problem;
  files::TensorFile &file = std::get<files::TensorFile>(read);
  const auto found = file.metadata.find(metadataKey);
  if (found == file.metadata.end())
    return path + ": holds weights but no state of a run; give it as -weights to start from it";
  Result<Json> json = parseJson(found->second, path + ": " + metadataKey);
  if (const Failure *failure = failureOf(json))
    return *failure;
  Result<Checkpoint> result = fromJson(std::get<Json>(json), path + ": " + metadataKey);
  if (!failureOf(result))
    std::get<Checkpoint>(result).tensors = std::move(file.tensors);
  return result;
}

} // namespace segc::train
