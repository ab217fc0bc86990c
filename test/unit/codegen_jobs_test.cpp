/// \file The cache and the worker processes. This program is its own worker, with a stand-in for the
/// compiler.
// SPDX-License-Identifier: MIT
#include "codegen_support.h"
#include "compiler/codegen/Jobs.h"
#include <atomic>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <thread>
#include <unistd.h>

using namespace segc;
using namespace segc::test;
using schedules::KernelJob;

namespace {

/// The stand-in: the problem says what happens. "log" notes each job in the file $SEGC_TEST_LOG.
KernelOutcome standIn(const KernelJob &job) {
  if (const char *log = std::getenv("SEGC_TEST_LOG"))
    std::ofstream(log, std::ios::app) << job.symbol << " " << getpid() << "\n";
  const std::string &what = job.problem;
  if (what == "refuse")
    return "refused";
  if (what == "throw")
    throw std::runtime_error("thrown");
  if (what == "hang")
    sleep(600);
  if (what == "print")
    std::printf("noise on stdout\n"), std::fflush(stdout);
  const char *once = std::getenv("SEGC_TEST_ONCE"); // the file appears when the first attempt dies
  if (what == "die" || (what == "die once" && !std::filesystem::exists(once))) {
    if (once)
      std::ofstream(once).put('x');
    std::fprintf(stderr, "last words\n");
    std::abort();
  }
  schedules::KernelArtifact artifact;
  const std::string object = "object of " + job.symbol;
  artifact.object.assign(object.begin(), object.end());
  artifact.scratchBytes = 128;
  return artifact;
}

KernelJob job(const std::string &symbol, const std::string &problem = "fine") {
  return {symbol, problem, "some schedule", schedules::Isa::Avx2};
}

class CodegenJobs : public testing::Test {
protected:
  void SetUp() override {
    setenv("TMPDIR", directory.path.c_str(), 1); // for the job files of failures
    setenv("SEGC_TEST_LOG", log.c_str(), 1);
    setenv("SEGC_TEST_ONCE", (directory / "once").c_str(), 1);
    options.executable = std::filesystem::read_symlink("/proc/self/exe").string();
    options.workers = 3;
  }
  void TearDown() override { unsetenv("TMPDIR"); }
  std::string errorOf(const std::vector<KernelJob> &jobs) {
    auto result = compileKernels(jobs, options);
    auto *error = std::get_if<std::string>(&result);
    return error ? *error : "";
  }
  CompiledKernels compile(const std::vector<KernelJob> &jobs) {
    auto result = compileKernels(jobs, options);
    if (auto *error = std::get_if<std::string>(&result)) {
      ADD_FAILURE() << *error;
      return {};
    }
    return std::get<CompiledKernels>(result);
  }
  std::vector<std::string> logged() {
    std::ifstream in(log);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);)
      lines.push_back(line);
    return lines;
  }

  TemporaryDirectory directory;
  const std::string log = directory / "log";
  JobOptions options;
};

std::string text(const schedules::KernelArtifact &artifact) {
  return std::string(artifact.object.begin(), artifact.object.end());
}
bool has(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

TEST_F(CodegenJobs, CompilesEachJobOnceInFewProcesses) {
  std::vector<KernelJob> jobs;
  for (int i = 0; i < 30; ++i)
    jobs.push_back(job("k" + std::to_string(i % 20), i % 2 ? "fine" : "print"));
  const CompiledKernels result = compile(jobs);
  EXPECT_EQ(result.compiled, 20u);
  ASSERT_EQ(result.artifacts.size(), 30u);
  for (int i = 0; i < 30; ++i) {
    EXPECT_EQ(text(result.artifacts[i]), "object of k" + std::to_string(i % 20));
    EXPECT_EQ(result.artifacts[i].scratchBytes, 128u);
  }
  std::set<std::string> processes;
  for (const std::string &line : logged())
    processes.insert(line.substr(line.find(' ')));
  EXPECT_EQ(logged().size(), 20u);
  EXPECT_LE(processes.size(), 3u);
  EXPECT_TRUE(compile({}).artifacts.empty());
}

TEST_F(CodegenJobs, LongJobsComeFirst) {
  options.workers = 1;
  KernelJob winograd = job("c");
  winograd.schedule = "winograd tx=4";
  compile({job("a"), job("b"), winograd, job("d", "pack_winograd panel32")});
  std::ifstream in(log);
  std::string order, symbol, process;
  while (in >> symbol >> process)
    order += symbol;
  EXPECT_EQ(order, "cdab");
}

TEST_F(CodegenJobs, FailuresNameTheirJob) {
  const std::string refused = errorOf({job("a"), job("b", "refuse"), job("c")});
  EXPECT_TRUE(has(refused, "kernel 'refuse', schedule 'some schedule' (avx2): refused")) << refused;
  EXPECT_TRUE(has(errorOf({job("b", "throw")}), "thrown"));
}

TEST_F(CodegenJobs, ADeadWorkersJobIsTriedAgain) {
  const CompiledKernels result = compile({job("a"), job("b", "die once"), job("c")});
  ASSERT_EQ(result.artifacts.size(), 3u);
  EXPECT_EQ(text(result.artifacts[1]), "object of b");
  EXPECT_EQ(logged().size(), 4u);
}

TEST_F(CodegenJobs, AJobThatKillsTwiceIsDiagnosed) {
  const std::string error = errorOf({job("a"), job("b", "die"), job("c")});
  EXPECT_TRUE(has(error, "kernel 'die', schedule 'some schedule' (avx2): the worker ended with signal 6"))
      << error;
  EXPECT_TRUE(has(error, "last words")) << error;
  const size_t at = error.find("segc --kernel-worker ");
  ASSERT_NE(at, std::string::npos) << error;
  EXPECT_EQ(read(error.substr(at + 21)), encodeJob(job("b", "die")));
}

TEST_F(CodegenJobs, AStuckWorkerIsKilled) {
  options.timeoutSeconds = 1;
  EXPECT_TRUE(has(errorOf({job("a", "hang")}), "no result after 1 seconds"));
}

TEST_F(CodegenJobs, AJobFileCanBeRepeated) {
  std::string flag = "--kernel-worker", file = directory / "job";
  char *argv[] = {flag.data(), file.data(), nullptr};
  EXPECT_EQ(runKernelWorker(2, argv, standIn), 1);
  for (const char *problem : {"fine", "refuse"}) {
    const std::string job = encodeJob(::job("a", problem));
    write(file, std::vector<uint8_t>(job.begin(), job.end()));
    EXPECT_EQ(runKernelWorker(2, argv, standIn), problem == std::string("fine") ? 0 : 1);
  }
  write(file, {'n', 'o', 'n', 'e', '\n'});
  EXPECT_EQ(runKernelWorker(2, argv, standIn), 1);
  EXPECT_EQ(logged().size(), 2u);
}

TEST_F(CodegenJobs, NoWorker) {
  options.executable = directory / "none";
  EXPECT_TRUE(has(errorOf({job("a")}), "none"));
}

TEST_F(CodegenJobs, TheCacheSavesTheWork) {
  options.cacheDirectory = directory / "cache";
  EXPECT_EQ(compile({job("a"), job("b")}).compiled, 2u);
  const CompiledKernels again = compile({job("b"), job("a"), job("c")});
  EXPECT_EQ(again.compiled, 1u);
  EXPECT_EQ(again.cached, 2u);
  EXPECT_EQ(text(again.artifacts[0]), "object of b");
  options.cacheDirectory = "/proc/none"; // cannot be created: as if there were none
  EXPECT_EQ(compile({job("a")}).compiled, 1u);
}

TEST(CodegenCache, DamagedEntriesAreNotTrusted) {
  TemporaryDirectory directory;
  Cache cache(directory.path.string(), "build");
  const std::string value(1000, 'v');
  for (const size_t damaged : {size_t(0), size_t(20), size_t(40), size_t(500)}) {
    cache.store("key", value);
    ASSERT_EQ(cache.load("key"), value);
    std::string bytes = read(cache.path("key"));
    bytes[damaged] ^= 1;
    write(cache.path("key"), std::vector<uint8_t>(bytes.begin(), bytes.end()));
    EXPECT_FALSE(cache.load("key")) << damaged;
    EXPECT_FALSE(std::filesystem::exists(cache.path("key")));
  }
  for (const size_t length : {size_t(0), size_t(30), size_t(100)}) {
    cache.store("key", value);
    std::filesystem::resize_file(cache.path("key"), length);
    EXPECT_FALSE(cache.load("key")) << length;
  }
  cache.store("key", value);
  EXPECT_FALSE(Cache(directory.path.string(), "another build").load("key"));
}

TEST(CodegenCache, ManyUsers) {
  TemporaryDirectory directory;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      Cache cache(directory.path.string(), "build");
      for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(i % 5), value(20000, char('a' + i % 5));
        cache.store(key, value);
        wrong += cache.load(key) != value; // always a whole entry, whoever wrote it
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(CodegenCache, StaysBelowItsLimit) {
  TemporaryDirectory directory;
  const std::string value(10000, 'v');
  for (int i = 0; i < 20; ++i)
    Cache(directory.path.string(), "build", 50000).store(std::to_string(i), value);
  uint64_t total = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(directory.path))
    total += entry.is_regular_file() ? entry.file_size() : 0;
  EXPECT_LE(total, 50000u);
  EXPECT_TRUE(Cache(directory.path.string(), "build").load("19")) << "the newest entry went first";
}

TEST(CodegenCache, Directory) {
  setenv("SEGC_CACHE", "/a", 1);
  EXPECT_EQ(defaultCacheDirectory(), "/a");
  setenv("SEGC_CACHE", "", 1);
  EXPECT_EQ(defaultCacheDirectory(), "");
  unsetenv("SEGC_CACHE");
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(defaultCacheDirectory(), "/x/segc");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/h", 1);
  EXPECT_EQ(defaultCacheDirectory(), "/h/.cache/segc");
  EXPECT_EQ(kernelBuildId().size(), 64u);
}

} // namespace

int main(int argc, char **argv) {
  if (argc > 1 && std::string(argv[1]) == "--kernel-worker")
    return runKernelWorker(argc - 1, argv + 1, standIn);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
