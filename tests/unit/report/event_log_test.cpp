// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The event log: order, rotation, and what happens when the disk is slow, full or gone.
#include "userspace/report/event_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace spidd {
namespace {

class EventLogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "event_log_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/events.jsonl";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<EventLog> open(std::size_t buffer = EventLog::kDefaultBuffer) {
    auto log = EventLog::open(path_, buffer);
    EXPECT_TRUE(log) << log.error().message;
    return std::move(*log);
  }
  static std::string contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string folder_;
  std::string path_;
};

TEST_F(EventLogTest, WritesOneLineAnEventInOrder) {
  const auto log = open();
  for (const char* event : {"{\"a\":1}", "{\"b\":2}", "{\"c\":3}"}) EXPECT_TRUE(log->write(event));
  log->flush();
  EXPECT_EQ(contents(path_), "{\"a\":1}\n{\"b\":2}\n{\"c\":3}\n");
  EXPECT_EQ(log->counters().written, 3U);
  EXPECT_EQ(log->counters().lost_full, 0U);
  EXPECT_EQ(log->counters().lost_failed, 0U);
  EXPECT_EQ(log->last_error(), "");
}

TEST_F(EventLogTest, AppendsToWhatIsThereAndKeepsTheFilePrivate) {
  open()->write("1");
  open()->write("2");
  EXPECT_EQ(contents(path_), "1\n2\n");
  struct stat status {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0137U, 0U);
}

TEST_F(EventLogTest, WritesOutWhatIsBufferedWhenItEnds) {
  {
    const auto log = open();
    for (int i = 0; i < 1000; ++i) log->write("x");
  }
  EXPECT_EQ(contents(path_).size(), 2000U);
}

TEST_F(EventLogTest, GoesOnInANewFileAfterRotation) {
  const auto log = open();
  log->write("old");
  log->flush();
  std::filesystem::rename(path_, path_ + ".1");
  log->write("still old");
  log->flush();
  ASSERT_TRUE(log->reopen());
  log->write("new");
  log->flush();
  EXPECT_EQ(contents(path_ + ".1"), "old\nstill old\n");
  EXPECT_EQ(contents(path_), "new\n");
}

TEST_F(EventLogTest, KeepsTheOldFileWhenReopeningFails) {
  const auto log = open();
  std::filesystem::rename(path_, path_ + ".1");
  std::filesystem::create_directory(path_);
  const Result<void> reopened = log->reopen();
  ASSERT_FALSE(reopened);
  EXPECT_THAT(reopened.error().message, testing::HasSubstr(path_));
  log->write("x");
  log->flush();
  EXPECT_EQ(contents(path_ + ".1"), "x\n");
}

TEST_F(EventLogTest, SaysWhyItCannotOpen) {
  const auto log = EventLog::open(folder_ + "/none/events.jsonl");
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().message, "open event log " + folder_ + "/none/events.jsonl: No such file or directory");
}

TEST_F(EventLogTest, CountsWhatDoesNotFitTheBufferAndDoesNotWait) {
  // A pipe that nobody reads: the thread is stuck in its first write.
  path_ = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  const UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK));
  ASSERT_TRUE(reader);
  auto log = open(std::size_t{128} << 10U);
  const std::string event(1023, 'x');
  unsigned accepted = 0;
  for (int i = 0; i < 1000; ++i) accepted += log->write(event) ? 1 : 0;
  EXPECT_LT(accepted, 1000U);
  EXPECT_EQ(log->counters().lost_full, 1000U - accepted);
  EXPECT_FALSE(log->write(std::string(std::size_t{256} << 10U, 'x'))) << "larger than the buffer";

  // The reader comes back: what was accepted arrives, whole.
  ::fcntl(reader.get(), F_SETFL, 0);
  std::string received;
  std::thread drain([&] {
    std::array<char, 65536> buffer;
    while (received.size() < accepted * 1024U) {
      const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
      if (got <= 0) break;
      received.append(buffer.data(), static_cast<std::size_t>(got));
    }
  });
  log->flush();
  drain.join();
  EXPECT_EQ(log->counters().written, accepted);
  EXPECT_EQ(received.size(), accepted * 1024U);
}

TEST_F(EventLogTest, CountsWhatAFullDiskRefusesAndMendsTheBrokenLine) {
  // A limit of the file's size is as good as a full disk.
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto log = open();
  log->write("12345");
  log->flush();
  rlimit limit = old_limit;
  limit.rlim_cur = 10;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  log->write("abcdefgh");  // 4 bytes of it fit
  log->flush();
  log->write("lost too");
  log->flush();
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  EXPECT_EQ(log->counters().written, 1U);
  EXPECT_EQ(log->counters().lost_failed, 2U);
  EXPECT_EQ(log->last_error(), "write event log " + path_ + ": File too large");

  log->write("whole");
  log->flush();
  EXPECT_EQ(contents(path_), "12345\nabcd\nwhole\n");
  EXPECT_EQ(log->counters().written, 2U);
  EXPECT_EQ(log->last_error(), "");
  std::signal(SIGXFSZ, before);
}

TEST_F(EventLogTest, AReaderThatWentAwayIsAnErrorAndNotTheEnd) {
  path_ = folder_ + "/pipe";
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK));
  const auto log = open();
  reader.reset();
  log->write("x");
  log->flush();
  EXPECT_EQ(log->counters().lost_failed, 1U);
  EXPECT_THAT(log->last_error(), testing::HasSubstr("Broken pipe"));
}

TEST_F(EventLogTest, TakesEventsFromManyThreads) {
  const auto log = open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log, t] {
      for (int i = 0; i < 2000; ++i) log->write(fmt::format("{} {}", t, i));
    });
  }
  for (std::thread& thread : threads) thread.join();
  log->flush();
  EXPECT_EQ(log->counters().written, 8000U);

  std::array<int, 4> next{};
  std::ifstream file(path_);
  for (int thread = 0, i = 0; file >> thread >> i;) {
    ASSERT_EQ(i, next.at(static_cast<std::size_t>(thread)));
    ++next.at(static_cast<std::size_t>(thread));
  }
  EXPECT_THAT(next, testing::Each(2000));
}

TEST_F(EventLogTest, WritesToStandardOutput) {
  testing::internal::CaptureStdout();
  {
    const auto log = EventLog::open("-");
    ASSERT_TRUE(log);
    (*log)->write("{}");
    EXPECT_TRUE((*log)->reopen());
    (*log)->write("[]");
  }
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "{}\n[]\n");
}

}  // namespace
}  // namespace spidd
