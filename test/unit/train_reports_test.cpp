/// \file Tests of what a run writes down: logs, results, curves, progress; and of the tools' command lines.
// SPDX-License-Identifier: MIT
#include "runtime/train/Arguments.h"
#include "runtime/train/Curves.h"
#include "runtime/train/Progress.h"
#include "runtime/train/RunLog.h"
#include "runtime/train/Table.h"
#include "test/unit/train_support.h"
#include <algorithm>
#include <cmath>
#include <limits>
#include <sys/stat.h>

using namespace segc::train;
using namespace segc::test;

namespace {

class TrainReports : public DataFolder {};

TEST_F(TrainReports, LogGoesOnAfterACheckpoint) {
  const std::string name = path("log.jsonl");
  {
    auto log = std::get<0>(JsonLog::open(name));
    for (int step = 1; step <= 5; ++step)
      EXPECT_EQ(log->append({{"step", step}, {"loss", 1.0 / step}}), std::nullopt);
  }
  EXPECT_EQ(read("log.jsonl").substr(0, 24), "{\"step\":1,\"loss\":1.0}\n{\"");
  // A crash left half a line.
  write("log.jsonl", read("log.jsonl") + "{\"step\":6,\"lo");
  EXPECT_EQ(std::get<0>(readLog(name)).size(), 5u);
  {
    auto log = std::get<0>(JsonLog::open(name, 3));
    EXPECT_EQ(log->append({{"step", 4}, {"loss", nullptr}}), std::nullopt);
  }
  const auto lines = std::get<0>(readLog(name));
  ASSERT_EQ(lines.size(), 4u);
  const Series series = seriesOf(lines, "loss", "training");
  ASSERT_EQ(series.points.size(), 4u);
  EXPECT_EQ(series.points[1], (std::pair<double, double>(2, 0.5)));
  EXPECT_TRUE(std::isnan(series.points[3].second));
  EXPECT_TRUE(seriesOf(lines, "miou", "").points.empty());

  write("log.jsonl", std::string("{\"step\":1}\nbroken\n{\"step\":2}\n"));
  EXPECT_TRUE(says(why(readLog(name)), {"log.jsonl: line 2:1:1: is not valid JSON"}));
  EXPECT_TRUE(says(why(JsonLog::open(path("none/log.jsonl"))), {"none/log.jsonl: cannot be written"}));
}

TEST_F(TrainReports, ResultsGoOnAfterACheckpoint) {
  const std::string name = path("results.csv");
  auto csv = std::get<0>(ResultsCsv::open(name, {"step", "loss", "IoU, all"}));
  EXPECT_EQ(csv.append({10, 0.5, std::nan("")}), std::nullopt);
  EXPECT_EQ(csv.append({20, 0.25, 1}), std::nullopt);
  EXPECT_EQ(read("results.csv"), "step,loss,\"IoU, all\"\n10,0.5,\n20,0.25,1\n");
  EXPECT_TRUE(says(*csv.append({1}), {"a row has 1 numbers for 3 columns"}));
  auto again = std::get<0>(ResultsCsv::open(name, {"step", "loss", "IoU, all"}, 15));
  EXPECT_EQ(again.append({20, 0.125, 1}), std::nullopt);
  EXPECT_EQ(read("results.csv"), "step,loss,\"IoU, all\"\n10,0.5,\n20,0.125,1\n");
  EXPECT_TRUE(says(why(ResultsCsv::open(name, {"step", "loss"}, 15)),
                   {"has the columns step,loss,\"IoU, all\" where"}));
  EXPECT_EQ(read("results.csv").substr(0, 5), "step,") << "a refused file stays";
}

TEST_F(TrainReports, WritesAreWholeOrNot) {
  ASSERT_EQ(writeText(path("a"), "one"), std::nullopt);
  EXPECT_TRUE(says(*writeText(path("no/a"), "two"), {"no/a: cannot be written"}));
  EXPECT_EQ(read("a"), "one");
  std::string text;
  EXPECT_TRUE(says(*readText(folder.string(), text), {"is not a regular file"}));
  EXPECT_TRUE(says(*readText(path("a"), text, 2), {"has 3 bytes; at most 2 are read"}));
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  EXPECT_TRUE(says(*readText(path("pipe"), text), {"is not a regular file"}));
}

/// How many lines are drawn.
size_t paths(const std::string &svg) {
  size_t count = 0;
  for (size_t at = 0; (at = svg.find("<path", at)) != std::string::npos; ++at)
    ++count;
  return count;
}

TEST_F(TrainReports, CurvesAreASvg) {
  Series loss{"training <loss> & more", {}}, miou{"validation", {{0, 0.1}, {500, 0.5}, {1000, 0.7}}};
  for (int step = 0; step <= 5000; ++step)
    loss.points.emplace_back(step / 5.0, 2 * std::exp(-step / 2000.0));
  loss.points[100].second = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = curvesSvg({{"loss", {loss}, true}, {"mIoU", {miou}, false}});
  EXPECT_TRUE(says(svg, {"<svg xmlns=\"http://www.w3.org/2000/svg\"", "training &lt;loss> &amp; more",
                         ">mIoU</text>", ">1000</text>", "</svg>\n"}));
  EXPECT_EQ(paths(svg), 2u);
  EXPECT_FALSE(contains(svg, "nan"));
  EXPECT_FALSE(contains(svg, "inf"));
  const std::string first =
      svg.substr(svg.find("<path"), svg.find("/>", svg.find("<path")) - svg.find("<path"));
  EXPECT_EQ(std::count(first.begin(), first.end(), 'M'), 2) << "the line is parted where the value is none";
  EXPECT_LT(svg.size(), 40000u) << "long series are thinned";
  // The line starts at the left end of the axis and ends at the right one, and falls.
  const size_t path = svg.find("<path d=\"M");
  double x = 0, y = 0;
  ASSERT_EQ(sscanf(svg.c_str() + path, "<path d=\"M%lf %lf", &x, &y), 2);
  EXPECT_NEAR(x, 70, 1);
  const size_t last = svg.rfind('L', svg.find("\" fill=\"none\""));
  double endX = 0, endY = 0;
  ASSERT_EQ(sscanf(svg.c_str() + last, "L%lf %lf", &endX, &endY), 2);
  EXPECT_NEAR(endX, 720 - 150, 1);
  EXPECT_GT(endY, y + 50);
  // Nothing, one point, equal values, zeros on a logarithmic axis: still a drawing.
  for (const std::vector<Panel> &panels : {std::vector<Panel>{},
                                           {{"none", {}, false}},
                                           {{"one", {{"a", {{3, 4}}}}, true}},
                                           {{"same", {{"a", {{1, 5}, {2, 5}}}}, true}},
                                           {{"zero", {{"a", {{1, 0}, {2, 1}}}}, true}},
                                           {{"wild", {{"a", {{1, 1e-300}, {2, 1e300}}}}, true}},
                                           {{"negative", {{"a", {{1, -5}, {2, -5}}}}, false}},
                                           {{"far", {{"a", {{1e16, 1e16}, {1e16 + 2, 1e16 + 2}}}}, false}}}) {
    const std::string odd = curvesSvg(panels);
    EXPECT_FALSE(contains(odd, "nan")) << odd;
    EXPECT_FALSE(contains(odd, "inf"));
    EXPECT_LT(odd.size(), 20000u);
  }
}

TEST_F(TrainReports, ProgressInPlainLines) {
  double now = 100;
  ProgressOptions options;
  options.out = fopen(path("out").c_str(), "w");
  options.clock = [&] { return now; };
  {
    Progress progress(100, 20, options);
    now = 101;
    progress.update(30, "loss 0.5"); // 10 steps a second, 70 left
    now = 103;
    progress.update(50, "loss 0.4"); // too soon
    progress.print("saved");
    now = 112;
    progress.update(60, "loss 0.3");
    now = 113;
    progress.update(61, "loss 0.2");
  }
  fclose(options.out);
  EXPECT_EQ(read("out"),
            "30/100  loss 0.5  left 0:07\nsaved\n60/100  loss 0.3  left 0:12\n61/100  loss 0.2  left 0:12\n");
}

TEST_F(TrainReports, ProgressOnATerminal) {
  double now = 0;
  ProgressOptions options;
  options.out = fopen(path("out").c_str(), "w");
  options.terminal = true;
  options.clock = [&] { return now; };
  {
    Progress progress(4, 0, options);
    now = 10;
    progress.update(1, "loss 0.5");
    now = 10.01;
    progress.update(2, "loss 0.4"); // not drawn
    progress.print("saved");
    now = 20;
    progress.update(4, "loss 0.3");
  }
  fclose(options.out);
  EXPECT_EQ(read("out"), "\r[#######-----------------------] 1/4  loss 0.5  left 0:30\033[K"
                         "\r\033[Ksaved\n"
                         "\r[##############################] 4/4  loss 0.3  in 0:20\033[K\n");
  EXPECT_EQ(Progress::duration(3725.4), "1:02:05");
  EXPECT_EQ(Progress::duration(-1), "0:00");
  EXPECT_EQ(Progress::duration(1e300), "277777:46:40");
}

TEST_F(TrainReports, TablesAlignUtf8) {
  Table table({"a", "x"});
  table.add({"Straße", "1"});
  table.add({"b", "10"});
  EXPECT_EQ(table.text(), "a        x\n------  --\nStraße   1\nb       10\n");
  EXPECT_EQ(fixed(0.125, 2), "0.12");
}

TEST_F(TrainReports, Arguments) {
  const std::vector<Flag> flags = {{"out", true, "where"}, {"count", true, "many"}, {"help", false, "this"}};
  auto parse = [&](std::vector<const char *> words) {
    words.insert(words.begin(), "tool");
    return Arguments::parse(int(words.size()), words.data(), flags);
  };
  const auto good = parse({"a", "-out", "x.png", "--count=3", "b", "--help", "-"});
  ASSERT_EQ(good.index(), 0u) << why(good);
  const auto &arguments = std::get<0>(good);
  EXPECT_EQ(arguments.positional(), (std::vector<std::string>{"a", "b", "-"}));
  EXPECT_EQ(arguments.text("out", ""), "x.png");
  EXPECT_EQ(std::get<0>(arguments.integer("count", 1, 0, 9)), 3);
  EXPECT_TRUE(arguments.has("help"));
  EXPECT_TRUE(says(why(arguments.integer("count", 1, 4, 9)), {"-count is '3'; a whole number from 4 to 9"}));
  EXPECT_TRUE(says(why(std::get<0>(parse({"-count="})).integer("count", 1, 0, 9)), {"-count is ''"}));
  EXPECT_TRUE(
      says(why(parse({"-cuont", "3"})), {"unknown flag '-cuont'; did you mean '-count'? (-help lists all)"}));
  EXPECT_EQ(nearest("cot", {"out", "cat", "count"}), "cat");
  EXPECT_EQ(nearest("cat", {"cot", "cat"}), "cat");
  EXPECT_EQ(nearest("abcdef", {"out"}), "");
  EXPECT_TRUE(says(why(parse({"---out", "3"})), {"unknown flag '---out'"}));
  EXPECT_TRUE(says(why(parse({"-out"})), {"-out needs a value"}));
  EXPECT_TRUE(says(why(parse({"-help=1"})), {"-help takes no value"}));
  EXPECT_TRUE(says(helpOf(flags), {"  -out    where\n", "  -count  many\n"}));
}

} // namespace
