/// \file RunLog: the files and what is kept of them when a run goes on.
// SPDX-License-Identifier: MIT
#include "runtime/train/RunLog.h"
#include "runtime/files/WriteWhole.h"
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <sstream>
#include <unistd.h>

namespace segc::train {

namespace {

/// A log of weeks; beyond it something is wrong.
constexpr size_t maxLogBytes = size_t(1) << 32;

bool exists(const std::string &path) { return access(path.c_str(), F_OK) == 0; }

std::string quoted(const std::string &field) {
  if (field.find_first_of(",\"\n") == std::string::npos)
    return field;
  std::string result = "\"";
  for (char c : field)
    result += c == '"' ? std::string("\"\"") : std::string(1, c);
  return result + "\"";
}

} // namespace

std::optional<Failure> writeText(const std::string &path, const std::string &text) {
  return files::writeWhole(path, text);
}

Result<std::unique_ptr<JsonLog>> JsonLog::open(const std::string &path, std::optional<int64_t> lastStep) {
  std::string kept;
  if (lastStep && exists(path)) {
    Result<std::vector<Json>> lines = readLog(path);
    if (const Failure *failure = failureOf(lines))
      return *failure;
    for (const Json &line : std::get<0>(lines)) {
      const auto step = line.find("step");
      if (step == line.end() || !step->is_number() || step->get<double>() <= double(*lastStep))
        kept += line.dump() + "\n";
    }
  }
  if (std::optional<Failure> failure = writeText(path, kept))
    return *failure;
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file < 0)
    return path + ": cannot be opened: " + strerror(errno);
  return std::unique_ptr<JsonLog>(new JsonLog(path, file));
}

JsonLog::~JsonLog() { close(file); }

std::optional<Failure> JsonLog::append(const Json &line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(file, text.data() + done, text.size() - done);
    if (written < 0 && errno != EINTR)
      return path + ": cannot be written: " + strerror(errno);
    done += written > 0 ? size_t(written) : 0;
  }
  return std::nullopt;
}

Result<std::vector<Json>> readLog(const std::string &path) {
  std::string text;
  if (std::optional<Failure> failure = readText(path, text, maxLogBytes))
    return *failure;
  std::vector<Json> lines;
  size_t begin = 0;
  for (int number = 1; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    Result<Json> line = parseJson(text.substr(begin, end - begin), path + ": line " + std::to_string(number));
    if (line.index() == 0 && std::get<0>(line).is_object())
      lines.push_back(std::move(std::get<0>(line)));
    else if (end + 1 < text.size())
      return line.index() == 1 ? std::get<1>(line)
                               : path + ": line " + std::to_string(number) + " is no object";
    begin = end + 1;
  }
  return lines;
}

Series seriesOf(const std::vector<Json> &lines, const std::string &field, const std::string &name) {
  Series result{name, {}};
  for (const Json &line : lines) {
    const auto step = line.find("step"), value = line.find(field);
    if (step == line.end() || !step->is_number() || value == line.end())
      continue;
    result.points.emplace_back(step->get<double>(), value->is_number()
                                                        ? value->get<double>()
                                                        : std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

Result<ResultsCsv> ResultsCsv::open(const std::string &path, std::vector<std::string> columns,
                                    std::optional<int64_t> lastStep) {
  ResultsCsv result;
  result.path = path;
  result.columns = columns.size();
  for (const std::string &column : columns)
    result.text += (result.text.empty() ? "" : ",") + quoted(column);
  result.text += "\n";
  if (lastStep && exists(path)) {
    std::string old, line;
    if (std::optional<Failure> failure = readText(path, old))
      return *failure;
    std::istringstream stream(old);
    std::getline(stream, line);
    if (line + "\n" != result.text)
      return path + ": has the columns " + line + " where this run writes " +
             result.text.substr(0, result.text.size() - 1) + "; name another folder";
    while (std::getline(stream, line))
      if (!line.empty() && strtod(line.c_str(), nullptr) <= double(*lastStep))
        result.text += line + "\n";
  }
  if (std::optional<Failure> failure = writeText(path, result.text))
    return *failure;
  return result;
}

std::optional<Failure> ResultsCsv::append(const std::vector<double> &row) {
  if (row.size() != columns)
    return path + ": a row has " + std::to_string(row.size()) + " numbers for " + std::to_string(columns) +
           " columns";
  for (size_t i = 0; i < row.size(); ++i) {
    const bool whole = row[i] == std::floor(row[i]) && std::abs(row[i]) < 1e15;
    text += (i ? "," : "") + (!std::isfinite(row[i]) ? ""
                              : whole                ? std::to_string(int64_t(row[i]))
                                                     : Json(row[i]).dump());
  }
  text += "\n";
  return writeText(path, text);
}

} // namespace segc::train
