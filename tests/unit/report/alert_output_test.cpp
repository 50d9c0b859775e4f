// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What SPADE says in files as Snort writes them, and in datagrams to a syslog.
#include "userspace/report/alert_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "userspace/base/unique_fd.h"

namespace spidd {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

ThresholdAdjusted adjustment() { return {Timestamp{}, "web", 0.91234, 12, 3456}; }
constexpr const char* kMessage = "Spade: id=web: Threshold adjusted to 0.9123 after 12 alerts (of 3456)";

class AlertOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "alert_output_XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<AlertOutput> open(const std::string& text) {
    auto settings = parse_alert_output(text);
    EXPECT_TRUE(settings) << settings.error().message;
    auto output = AlertOutput::open(*settings);
    EXPECT_TRUE(output) << output.error().message;
    return std::move(*output);
  }
  static std::string contents(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // A syslog.
  UniqueFd listen(const std::string& path) {
    std::filesystem::remove(path);
    UniqueFd reader(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(reader.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return reader;
  }
  static std::string receive(const UniqueFd& reader) {
    std::array<char, 1024> text{};
    const ssize_t size = ::recv(reader.get(), text.data(), text.size(), 0);
    return size < 0 ? "" : std::string(text.data(), static_cast<std::size_t>(size));
  }

  std::string folder_;
};

TEST_F(AlertOutputTest, WritesTheFormatThatItsNameSays) {
  for (const std::string format : {"fast", "full", "csv", "eve"}) {
    const auto output = open(format + ":" + folder_ + "/" + format);
    output->write(adjustment());
    output->write(adjustment());
    output->log().flush();
    std::string expected;
    for (int i = 0; i < 2; ++i) append_alert(expected, *parse_alert_format(format), adjustment());
    EXPECT_EQ(contents(folder_ + "/" + format), expected);
    EXPECT_EQ(output->log().counters().written, 2U) << format;
    EXPECT_EQ(output->log().counters().lost_failed, 0U) << format;
  }
}

TEST_F(AlertOutputTest, GoesOnInANewFileAfterRotation) {
  const auto output = open("fast:" + folder_ + "/alert");
  output->write(adjustment());
  output->log().flush();
  std::filesystem::rename(folder_ + "/alert", folder_ + "/alert.1");
  ASSERT_TRUE(output->log().reopen());
  output->write(adjustment());
  output->log().flush();
  EXPECT_THAT(contents(folder_ + "/alert"), HasSubstr(kMessage));
}

TEST_F(AlertOutputTest, TellsSyslogOneDatagramAnEvent) {
  const std::string path = folder_ + "/log";
  const UniqueFd reader = listen(path);
  const auto output = open("syslog:" + path);
  output->write(adjustment());
  output->write(adjustment());
  output->log().flush();
  EXPECT_THAT(
      receive(reader),
      MatchesRegex("<81>[A-Z][a-z][a-z] [ 0-9]+ [0-9:]+ spidd\\[[0-9]+\\]: Spade: id=web: Threshold .* \\(of 3456\\)"));
  EXPECT_THAT(receive(reader), HasSubstr(kMessage));
  EXPECT_EQ(receive(reader), "");
  EXPECT_EQ(output->log().counters().written, 2U);
}

TEST_F(AlertOutputTest, CountsWhatASyslogMissedAndFindsItWhenItIsBack) {
  const std::string path = folder_ + "/log";
  const auto output = open("syslog:" + path);
  output->write(adjustment());
  output->log().flush();
  EXPECT_EQ(output->log().counters().lost_failed, 1U);
  EXPECT_THAT(output->log().last_error(), HasSubstr("No such file"));
  for (int starts = 0; starts < 2; ++starts) {
    const UniqueFd reader = listen(path);
    output->write(adjustment());
    output->log().flush();
    EXPECT_THAT(receive(reader), HasSubstr(kMessage));
  }
  EXPECT_EQ(output->log().counters().written, 2U);
  EXPECT_EQ(output->log().last_error(), "");
}

TEST_F(AlertOutputTest, DoesNotWaitForASyslogThatIsStuck) {
  const std::string path = folder_ + "/log";
  const UniqueFd reader = listen(path);
  const auto output = open("syslog:" + path);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 30000; ++i) output->write(adjustment());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  output->log().flush();
  const EventLog::Counters counters = output->log().counters();
  EXPECT_GT(counters.lost_failed + counters.lost_full, 0U);
  EXPECT_EQ(counters.written + counters.lost_failed + counters.lost_full, 30000U);
}

TEST(AlertOutput, NamesAFormatAndAnAbsolutePath) {
  EXPECT_EQ(*parse_alert_output("csv:/a/b"), (AlertOutputSettings{AlertFormat::csv, "/a/b"}));
  EXPECT_EQ(*parse_alert_output("syslog"), (AlertOutputSettings{AlertFormat::syslog, "/dev/log"}));
  for (const char* wrong : {"", "fast", "fast:", "fast:alert", "unified:/x", "syslog:"})
    EXPECT_FALSE(parse_alert_output(wrong)) << wrong;
}

}  // namespace
}  // namespace spidd
