// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Model files: what is written is read back, and hostile or damaged files give an error that names the place.
#include "userspace/spid/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (fs::temp_directory_path() / "spidd-models-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = pattern;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  std::string path(const std::string& name = "") const { return name.empty() ? path_ : path_ + "/" + name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path(name)) << text; }

 private:
  std::string path_;
};

ProtocolModel make_model(const std::string& label = "openvpn", Transport transport = Transport::udp) {
  ProtocolModel model;
  model.label = label;
  model.family = "vpn";
  model.category = Category::tunnel;
  model.transport = transport;
  model.captures = 2;
  std::mt19937 random(1);
  AttributeMeters meters;
  Fingerprint flow;
  for (unsigned i = 0; i < 3; ++i) {
    meters.measure(random_flow(random, 5 + i), flow);
    model.add(flow);
  }
  return model;
}

std::string model_text(const ProtocolModel& model = make_model()) {
  return format_model(model, kSnapLength, MeterRules::corrected);
}

// The text with the first `from` replaced.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from);
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  const Result<ModelFile> parsed = parse_model(text, "x.json");
  return parsed ? "parsed" : parsed.error().message;
}

void expect_same(const ProtocolModel& a, const ProtocolModel& b) {
  EXPECT_EQ(a.label, b.label);
  EXPECT_EQ(a.family, b.family);
  EXPECT_EQ(a.category, b.category);
  EXPECT_EQ(a.transport, b.transport);
  EXPECT_EQ(a.flows, b.flows);
  EXPECT_EQ(a.captures, b.captures);
  EXPECT_NEAR(a.threshold, b.threshold, 5e-4);
  EXPECT_EQ(a.payload_packets, b.payload_packets);
  EXPECT_EQ(a.measurements, b.measurements);
  EXPECT_EQ(a.counters, b.counters);
}

TEST(ModelFile, IsReadAsItWasWritten) {
  const ProtocolModel model = make_model();
  const Result<ModelFile> parsed = parse_model(format_model(model, 64, MeterRules::strict), "x.json");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->snap, 64U);
  EXPECT_EQ(parsed->rules, MeterRules::strict);
  expect_same(parsed->model, model);
}

TEST(ModelFile, KeepsTheHashesOfItsCaptures) {
  ProtocolModel model = make_model();
  model.remember_capture(0xffffffffffffffff);
  model.remember_capture(1);
  const std::string text = model_text(model);
  EXPECT_THAT(text, HasSubstr("\"capture_hashes\": [\"0000000000000001\",\"ffffffffffffffff\"],\n"));
  const Result<ModelFile> parsed = parse_model(text, "x.json");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->model, model);
}

TEST(ModelFile, IsRefusedIfTheHashesOfItsCapturesAreNone) {
  const auto error_with = [](const std::string& hashes) {
    return error_of(
        with(model_text(), "\"payload_packets\"", "\"capture_hashes\": " + hashes + ",\n\"payload_packets\""));
  };
  EXPECT_EQ(error_with("[]"), "parsed");
  EXPECT_THAT(error_with("[\"00000000000000zz\"]"),
              StartsWith("x.json:13: hash of a capture \"00000000000000zz\" is not"));
  EXPECT_THAT(error_with("[\"1\"]"), HasSubstr("is not 16 hexadecimal digits"));
  EXPECT_THAT(error_with("[1]"), StartsWith("x.json:13: a number does not belong here"));
  EXPECT_THAT(error_with("[[\"0000000000000001\"]]"), HasSubstr("an array does not belong here"));
  EXPECT_THAT(error_with("\"0000000000000001\""), HasSubstr("capture_hashes must not be a string"));
  EXPECT_THAT(error_with("[\"0000000000000001\",\"0000000000000001\"]"), HasSubstr("is not above the last"));
  EXPECT_THAT(error_with("[\"0000000000000001\",\"0000000000000002\",\"0000000000000003\"]"),
              HasSubstr("more hashes than captures"));
  std::string many = "[";
  for (unsigned i = 0; i <= kMaxCaptureHashes; ++i) many += fmt::format("{}\"{:016x}\"", i == 0 ? "" : ",", i);
  EXPECT_THAT(error_with(many + "]"), StartsWith("x.json:13: more than 16 hashes of captures"));
}

TEST(ModelFile, LooksAsItsDescriptionSays) {
  std::ifstream file(SPIDD_POLICY_DIR "/models/README.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t begin = page.find("```json\n") + 8;
  const Result<ModelFile> parsed = parse_model(page.substr(begin, page.find("```", begin) - begin), "README.md");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->model.label, "wireguard");
  EXPECT_EQ(parsed->model.counters[65], 57U);
}

TEST(ModelDirectory, ThatIsShippedLoads) {
  const Result<ModelDatabase> shipped = load_models(SPIDD_POLICY_DIR "/models");
  ASSERT_TRUE(shipped) << shipped.error().message;
  EXPECT_NE(shipped->find("wireguard", Transport::udp), nullptr);
  EXPECT_NE(shipped->find("https", Transport::tcp), nullptr);
}

TEST(ModelFile, NamesFileAndLineOfAnError) {
  EXPECT_EQ(error_of(with(model_text(), "\"snap\": 64", "\"snap\": 1501")),
            "x.json:5: snap is 1501, not 1 to 1500 (byte 79)");
}

TEST(ModelFile, IsRefusedIfItIsDamagedAnywhere) {
  const std::string text = model_text();
  for (std::size_t length = 0; length + 1 < text.size(); length += 1 + length / 50) {
    EXPECT_THAT(error_of(text.substr(0, length)), StartsWith("x.json:")) << length;
  }
}

TEST(ModelFile, IsRefusedIfAKeyIsMissingRepeatedOrUnknown) {
  const std::string text = model_text();
  EXPECT_THAT(error_of("{}"), HasSubstr("key \"spidd_model\" is missing"));
  EXPECT_THAT(error_of(with(text, "\"captures\": 2,\n", "")), HasSubstr("key \"captures\" is missing"));
  EXPECT_THAT(error_of(with(text, "\"snap\"", "\"flows\": 3,\n\"snap\"")), HasSubstr("key \"flows\" is repeated"));
  EXPECT_THAT(error_of(with(text, "\"snap\"", "\"snip\"")), HasSubstr("key \"snip\" is unknown"));
  EXPECT_THAT(error_of(with(text, "\"ByteFrequency\"", "\"ByteBitValue\"")), HasSubstr("ByteBitValue is repeated"));
  EXPECT_THAT(error_of(with(text, "\"ByteFrequency\"", "\"Bytes\"")), HasSubstr("meter \"Bytes\" is unknown"));
  EXPECT_THAT(error_of(with(text, "\"bins\"", "\"measurements\"")), HasSubstr("unknown or repeated in a meter"));
}

TEST(ModelFile, IsRefusedIfAValueIsOutOfRange) {
  const std::string text = model_text();
  EXPECT_THAT(error_of(with(text, "\"spidd_model\": 2", "\"spidd_model\": 3")), HasSubstr("format version 3 is not 2"));
  EXPECT_THAT(error_of(with(text, "spidd45", "spid35")), HasSubstr("meter set \"spid35\""));
  EXPECT_THAT(error_of(with(text, "corrected", "loose")), HasSubstr("rules \"loose\""));
  EXPECT_THAT(error_of(with(text, "openvpn", "../../etc/passwd")), HasSubstr("label \"../../etc/passwd\" is not"));
  EXPECT_THAT(error_of(with(text, "\"tunnel\"", "\"vpn\"")), HasSubstr("unknown category"));
  EXPECT_THAT(error_of(with(text, "\"udp\"", "\"sctp\"")), HasSubstr("sctp"));
  EXPECT_THAT(error_of(with(text, "\"udp\"", "\"icmp6\"")), HasSubstr("icmp6 shares the models of icmp"));
  EXPECT_THAT(error_of(with(text, "\"flows\": 3", "\"flows\": 4294967296")), HasSubstr("flows is 4294967296"));
  EXPECT_THAT(error_of(with(text, "\"flows\": 3", "\"flows\": -3")), HasSubstr("negative"));
  EXPECT_THAT(error_of(with(text, "\"flows\": 3", "\"flows\": 1e3")), HasSubstr("fraction"));
  EXPECT_THAT(error_of(with(text, "\"flows\": 3", "\"flows\": \"3\"")), HasSubstr("flows must not be a string"));
  EXPECT_THAT(error_of(with(text, "\"label\": \"openvpn\"", "\"label\": 3")), HasSubstr("label must not be a number"));
  EXPECT_THAT(error_of(with(text, "\"label\": \"openvpn\"", "\"label\": [[[")), HasSubstr("an array does not belong"));
  EXPECT_THAT(error_of(with(text, "\"label\": \"openvpn\"", "\"label\": {}")), HasSubstr("an object does not belong"));
}

TEST(ModelFile, IsRefusedIfItsBinsAreWrong) {
  const auto with_bins = [](const std::string& measurements, const std::string& bins) {
    const std::string text = model_text();
    const std::size_t meters = text.find("\"meters\": {");
    return text.substr(0, meters) + "\"meters\": {\"ByteFrequency\": {\"measurements\": " + measurements +
           ", \"bins\": [" + bins + "]}}}";
  };
  EXPECT_EQ(error_of(with_bins("5", "0,2,255,3")), "parsed");
  EXPECT_EQ(error_of(with_bins("0", "")), "parsed");
  EXPECT_THAT(error_of(with_bins("6", "0,2,255,3")), HasSubstr("has 6 measurements, but its bins add up to 5"));
  EXPECT_THAT(error_of(with_bins("5", "0,2,256,3")), HasSubstr("bin 256 is out of order or above 255"));
  EXPECT_THAT(error_of(with_bins("5", "7,2,7,3")), HasSubstr("bin 7 is out of order"));
  EXPECT_THAT(error_of(with_bins("2", "7,2,8")), HasSubstr("bin 8 has no count"));
  EXPECT_THAT(error_of(with_bins("2", "7,2,8,0")), HasSubstr("the count of bin 8 is 0"));
  EXPECT_THAT(error_of(with_bins("2", "7,4294967296")), HasSubstr("the count of bin 7 is 4294967296"));
  EXPECT_THAT(error_of(with_bins("2", "7,[2]")), HasSubstr("an array does not belong"));
}

TEST(ModelFile, IsQuotedInErrorsOnlyInPartAndPrintable) {
  const std::string message = error_of("{\"" + std::string(5000, 'a') + "\\u0007\": 1}");
  EXPECT_LT(message.size(), 200U);
  EXPECT_THAT(error_of("{\"a\\u0007\\u001b[2J\": 1}"), HasSubstr("\"a??[2J\""));
}

TEST(ModelDirectory, IsLoadedAsItWasSaved) {
  const TemporaryDirectory directory;
  ModelDatabase database;
  database.rules = MeterRules::strict;
  database.models = {make_model("a", Transport::tcp), make_model("a", Transport::udp), make_model("b-1")};
  const std::string models = directory.path("new");
  ASSERT_TRUE(save_models(database, models));
  std::ofstream(models + "/README.md") << "about";
  std::ofstream(models + "/provenance.json") << "{}";
  std::ofstream(models + "/.b.json.1234") << "half";
  const Result<ModelDatabase> loaded = load_models(models);
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(loaded->rules, MeterRules::strict);
  ASSERT_EQ(loaded->models.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) expect_same(loaded->models[i], database.models[i]);
}

TEST(ModelDirectory, IsSavedOverOlderFilesWithoutLeavings) {
  const TemporaryDirectory directory;
  ModelDatabase database;
  database.models = {make_model()};
  ASSERT_TRUE(save_models(database, directory.path()));
  database.models[0].flows = 99;
  ASSERT_TRUE(save_models(database, directory.path()));
  EXPECT_EQ(load_models(directory.path())->models[0].flows, 99U);
  EXPECT_EQ(std::distance(fs::directory_iterator(directory.path()), fs::directory_iterator()), 2);
}

TEST(ModelDirectory, IsNotWrittenOutsideForAHostileLabel) {
  const TemporaryDirectory directory;
  ModelDatabase database;
  database.models = {make_model("../x")};
  EXPECT_EQ(save_models(database, directory.path()).error().message, "\"../x\" is not a label for a model");
}

TEST(ModelDirectory, GivesAnErrorIfItIsMissingOrEmpty) {
  const TemporaryDirectory directory;
  EXPECT_THAT(load_models(directory.path()).error().message, HasSubstr("there are no model files"));
  EXPECT_THAT(load_models(directory.path("missing")).error().message, HasSubstr("No such file or directory"));
}

TEST(ModelDirectory, GivesAnErrorForAFileThatDoesNotBelong) {
  const auto error_for = [](const std::string& name, const std::string& text) {
    const TemporaryDirectory directory;
    directory.write("aaa.udp.json", model_text(make_model("aaa")));
    directory.write(name, text);
    const Result<ModelDatabase> loaded = load_models(directory.path());
    return loaded ? "loaded" : loaded.error().message.substr(directory.path().size() + 1);
  };
  EXPECT_EQ(error_for("openvpn.tcp.json", model_text()),
            "openvpn.tcp.json: the model in it belongs in a file named openvpn.udp.json");
  EXPECT_EQ(error_for("openvpn.udp.json", with(model_text(), "corrected", "strict")),
            "openvpn.udp.json: snap and rules differ from those of aaa.udp.json");
  EXPECT_EQ(error_for("big.udp.json", std::string((16U << 20) + 1, ' ')),
            "big.udp.json: 16777217 bytes are more than such a file may have (16777216)");
}

TEST(ModelDirectory, GivesAnErrorForWhatIsNoFile) {
  const TemporaryDirectory directory;
  ASSERT_EQ(::mkfifo(directory.path("pipe.udp.json").c_str(), 0600), 0);
  EXPECT_THAT(load_models(directory.path()).error().message, HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace spidd
