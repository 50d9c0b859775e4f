// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Models in one file: what is written is read back exactly, foreign files lose little, hostile ones nothing but time.
#include "userspace/spid/model_exchange.h"

#include <gmock/gmock.h>

#include "tests/unit/spid/test_flows.h"

namespace spidd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// Counts of all sizes, as years of training would give them.
ModelDatabase some_models() {
  ModelDatabase database;
  std::mt19937 random(5);
  AttributeMeters meters;
  Fingerprint flow;
  for (const View view : {View::both, View::to_server, View::to_client}) {
    ProtocolModel& model = database.find_or_add("openvpn", Transport::udp, Category::tunnel, "vpn", view);
    for (unsigned i = 0; i < 40; ++i) {
      meters.measure(random_flow(random, 1 + i % 9), flow);
      model.add(flow);
    }
    for (unsigned i = 0; i < 20; ++i) model.merge(ProtocolModel(model));
    model.flows = 1234567;
    model.captures = 17;
    model.threshold = 0.125F;
  }
  database.find_or_add("dns", Transport::tcp, Category::plain, "dns");
  return database;
}

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("no " + from);
  return text.replace(at, from.size(), to);
}

TEST(ModelsAsJson, AreReadAsTheyWereWritten) {
  const ModelDatabase models = some_models();
  const auto read = parse_models_json(format_models_json(models), "x.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.models, models.models);
}

TEST(ModelsAsJson, SayWhatTheThresholdsAreFor) {
  ModelDatabase models = some_models();
  models.thresholds_for = 0x1f;
  const std::string text = format_models_json(models);
  EXPECT_THAT(text, StartsWith("{\n\"thresholds_for\": \"000000000000001f\",\n\"models\": [\n{\n\"spidd_model\""));
  const auto read = parse_models_json(text, "x.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.models, models.models);
  EXPECT_EQ(read->models.thresholds_for, models.thresholds_for);
  const auto error_of = [](const std::string& damaged) {
    const auto parsed = parse_models_json(damaged, "x.json");
    return parsed ? "read" : parsed.error().message;
  };
  EXPECT_THAT(error_of(with(text, "000000000000001f", "00000000000000zz")), StartsWith("x.json:2: a number of 16"));
  EXPECT_THAT(error_of(with(text, "\"models\"", "\"others\"")), StartsWith("x.json:3: \"models\" is missing"));
  EXPECT_THAT(error_of(with(text, "[", "")), HasSubstr("is missing"));
  EXPECT_THAT(error_of(text.substr(0, text.size() - 2)), HasSubstr("\"}\" is missing"));
  EXPECT_THAT(error_of(text + "]"), HasSubstr("the end is missing"));
  for (std::size_t length = 0; length + 2 < text.size(); length += 1 + length / 30)
    EXPECT_THAT(error_of(text.substr(0, length)), StartsWith("x.json:")) << length;
}

TEST(ModelsAsJson, MayBeOneModelAsInADirectory) {
  const std::string text = format_models_json(some_models());
  const std::size_t begin = text.find('{');
  const auto read = parse_models_json(text.substr(begin, text.find("\n},\n{") + 2 - begin), "x.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.models.size(), 1U);
}

TEST(ModelsAsJson, ErrorsNameTheLineOfTheWholeFile) {
  const std::string text = format_models_json(some_models());
  const auto error_of = [](const std::string& damaged) {
    const auto read = parse_models_json(damaged, "x.json");
    return read ? "read" : read.error().message;
  };
  const std::size_t second = text.find("\"snap\"", text.find("\"snap\"") + 1);
  const auto line = 1 + std::ranges::count(text.substr(0, second), '\n');
  EXPECT_THAT(error_of(with(text, text.substr(second, 10), "\"snap\": 9999")), StartsWith("x.json:6: snap is 9999"));
  std::string other = text;
  other.replace(second, 10, "\"snap\": 9999");
  EXPECT_THAT(error_of(other), StartsWith(fmt::format("x.json:{}: snap is 9999", line)));
  EXPECT_EQ(error_of(""), "x.json:1: a model is missing (byte 0)");
  EXPECT_EQ(error_of("[\n]"), "x.json:2: a model is missing (byte 2)");
  EXPECT_THAT(error_of(text + "x"), HasSubstr("the end is missing"));
  EXPECT_THAT(error_of(text.substr(0, text.size() - 3)), HasSubstr("is missing"));
  for (std::size_t length = 0; length + 2 < text.size(); length += 1 + length / 30)
    EXPECT_THAT(error_of(text.substr(0, length)), StartsWith("x.json:")) << length;
}

TEST(ModelsAsXml, AreReadAsTheyWereWritten) {
  ModelDatabase models = some_models();
  models.rules = MeterRules::strict;
  models.snap = 48;
  const std::string text = format_models_xml(models, XmlMeters::all);
  const auto read = parse_models_xml(text, "x.xml", {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.rules, MeterRules::strict);
  EXPECT_EQ(read->models.snap, 48U);
  ASSERT_EQ(read->models.models.size(), models.models.size());
  for (std::size_t i = 0; i < models.models.size(); ++i)
    EXPECT_TRUE(read->models.models[i] == models.models[i]) << models.models[i].label;
  EXPECT_THAT(read->notes, ElementsAre());
}

TEST(ModelsAsXml, SayWhatTheThresholdsAreFor) {
  ModelDatabase models = some_models();
  models.thresholds_for = 0x1f;
  const std::string text = format_models_xml(models, XmlMeters::all);
  const auto read = parse_models_xml(text, "x.xml", {});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.thresholds_for, models.thresholds_for);
  const auto damaged = parse_models_xml(with(text, "000000000000001f", "1f"), "x.xml", {});
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, HasSubstr("thresholdsFor is not 16 hexadecimal digits"));
  models.thresholds_for.reset();
  EXPECT_FALSE(parse_models_xml(format_models_xml(models), "x.xml", {})->models.thresholds_for);
}

TEST(ModelsAsXml, HaveTheElementsOfTheOriginal) {
  const std::string text = format_models_xml(some_models());
  EXPECT_THAT(text, HasSubstr("<protocolModels fingerprintLength=\"256\""));
  EXPECT_THAT(text, HasSubstr("<protocolModel name=\"openvpn (client-&gt;server)\" sessionCount=\"1234567\""));
  EXPECT_THAT(text, HasSubstr("<attributeFingerprint attributeMeterName=\"ByteFrequencyMeter\" measurementCount=\""));
  std::size_t bins = 0;
  for (std::size_t at = text.find("<bin i="); at != std::string::npos; at = text.find("<bin i=", at + 1)) ++bins;
  EXPECT_EQ(bins, 4U * kOriginalMeterCount * kBinsPerMeter);
}

TEST(ModelsAsXml, TellALabelOverSeveralTransportsByItsName) {
  ModelDatabase models;
  for (const Transport transport : {Transport::tcp, Transport::udp})
    for (const View view : {View::both, View::to_server})
      models.find_or_add("openvpn", transport, Category::tunnel, "openvpn", view).flows = 1;
  models.find_or_add("dns", Transport::udp, Category::plain, "dns").flows = 1;
  std::string text = format_models_xml(models);
  for (const char* name : {"openvpn (tcp)", "openvpn (udp)", "openvpn (udp) (client-&gt;server)", "dns"})
    EXPECT_THAT(text, HasSubstr(fmt::format("name=\"{}\"", name)));
  // As after a program that does not keep what it does not know.
  for (const char* attribute : {" transport=\"tcp\"", " transport=\"udp\""})
    while (text.find(attribute) != std::string::npos) text = with(text, attribute, "");
  ModelDefaults defaults;
  defaults.transport = Transport::udp;
  const auto read = parse_models_xml(text, "x.xml", defaults);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.models, models.models);
  EXPECT_THAT(read->notes, ElementsAre());
}

// As the original might have written it: no attributes of ours, shares of a few digits.
constexpr const char* kForeign = R"(<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY lol "lol"><!ENTITY a "&lol;&lol;&lol;">]>
<protocolModels fingerprintLength="256">
  <protocolModel name="Skype UDP" sessionCount="30" observationCount="400">
    <defaultPorts><port>53</port></defaultPorts>
    <attributeFingerprint attributeMeterName="ByteFrequencyMeter" measurementCount="3">
      <bin>0.3333333</bin><bin>0</bin><bin>0.6666667</bin>
    </attributeFingerprint>
    <attributeFingerprint attributeMeterName="ColourMeter" measurementCount="3"><bin>1</bin></attributeFingerprint>
  </protocolModel>
</protocolModels>
)";

TEST(ModelsAsXml, OfOthersLoseWhatSharesOfFewDigitsLose) {
  const ModelDefaults defaults{"", Category::p2p, Transport::udp};
  const auto read = parse_models_xml(kForeign, "x.xml", defaults);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->models.rules, MeterRules::strict);
  ASSERT_EQ(read->models.models.size(), 1U);
  const ProtocolModel& model = read->models.models[0];
  EXPECT_EQ(model.label, "skype-udp");
  EXPECT_EQ(model.family, "skype-udp");
  EXPECT_EQ(model.category, Category::p2p);
  EXPECT_EQ(model.transport, Transport::udp);
  EXPECT_EQ(model.flows, 30U);
  EXPECT_EQ(model.captures, 0U);
  EXPECT_FALSE(model.has_evidence());
  EXPECT_EQ(model.counters[3 * kBinsPerMeter], 1U);
  EXPECT_EQ(model.counters[3 * kBinsPerMeter + 2], 2U);
  EXPECT_EQ(model.measurements[3], 3U);
  EXPECT_THAT(read->notes, ElementsAre("\"Skype UDP\" becomes the label skype-udp",
                                       "skype-udp: its default ports are left out: SPID never used them",
                                       "skype-udp: meter ColourMeter is unknown and left out"));
  const auto cut = parse_models_xml(with(kForeign, "0.6666667", "0.66"), "x.xml", defaults);
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->models.models[0].measurements[3], 2U);
  EXPECT_EQ(cut->notes.back(), "skype-udp: 1 measurements lost, as the file has shares in place of counts");
}

TEST(ModelsAsXml, ErrorsNameTheLine) {
  const ModelDefaults defaults{"", Category::p2p, Transport::udp};
  const auto error_of = [&](const std::string& text, const ModelDefaults& known) {
    const auto read = parse_models_xml(text, "x.xml", known);
    return read ? "read" : read.error().message;
  };
  const std::string text = kForeign;
  EXPECT_EQ(error_of(text, {}), "x.xml:4: skype-udp: the file does not say the category: say --category (byte 130)");
  EXPECT_THAT(error_of(text, {"", Category::p2p, std::nullopt}), HasSubstr("say --transport"));
  EXPECT_THAT(error_of(with(text, "0.6666667", "0,66"), defaults),
              StartsWith("x.xml:7: the share of bin 2 is \"0,66\""));
  EXPECT_THAT(error_of(with(text, "0.6666667", "1.5"), defaults), HasSubstr("not 0 to 1"));
  EXPECT_THAT(error_of(with(text, "0.6666667", "nan"), defaults), HasSubstr("not 0 to 1"));
  EXPECT_THAT(error_of(with(text, "0.6666667", "&a;"), defaults), HasSubstr("not 0 to 1"));
  EXPECT_THAT(error_of(with(text, "0.6666667", "0.9"), defaults), HasSubstr("read"));
  EXPECT_THAT(error_of(with(text, "0.3333333", "1"), defaults), HasSubstr("add up to more than 1"));
  EXPECT_THAT(error_of(with(text, "<bin>0<", "<bin i=\"256\">0<"), defaults), HasSubstr("i of <bin> is \"256\""));
  EXPECT_THAT(error_of(with(text, "<bin>0<", "<bin i=\"7\">0</bin><bin i=\"7\">0<"), defaults),
              HasSubstr("out of order"));
  EXPECT_THAT(error_of(with(text, "<bin>0</bin>", "<bun>0</bun>"), defaults), HasSubstr("<bun> does not belong here"));
  EXPECT_THAT(error_of(with(text, "ColourMeter", "ByteFrequency"), defaults), HasSubstr("ByteFrequency is repeated"));
  EXPECT_THAT(error_of(with(text, "\"256\"", "\"255\""), defaults), HasSubstr("fingerprints of 255 bins"));
  EXPECT_EQ(error_of(with(text, "\"30\"", "\"30\" threshold=\"abc\""), defaults),
            "x.xml:4: threshold of <protocolModel> is \"abc\", not 0 to 20 (byte 130)");
  EXPECT_THAT(error_of(with(text, "\"30\"", "\"30\" threshold=\"1.5x\""), defaults),
              HasSubstr("\"1.5x\", not 0 to 20"));
  EXPECT_THAT(error_of(with(text, "\"30\"", "\"-1\""), defaults),
              HasSubstr("sessionCount of <protocolModel> is \"-1\""));
  EXPECT_THAT(error_of(with(text, "Skype UDP", "../x"), defaults), HasSubstr("gives no label"));
  EXPECT_THAT(error_of("<a/>", defaults), HasSubstr("there is no <protocolModels>"));
  EXPECT_THAT(error_of("<protocolModels/>", defaults), HasSubstr("there is no model in it"));
  for (std::size_t length = 0; length + 2 < text.size(); length += 3)
    EXPECT_THAT(error_of(text.substr(0, length), defaults), StartsWith("x.xml:")) << length;
}

TEST(ModelsAsXml, DepthCostsNothing) {
  std::string deep = "<protocolModels>";
  for (unsigned i = 0; i < 200'000; ++i) deep += "<a>";
  EXPECT_THAT(parse_models_xml(deep, "x", {}).error().message, HasSubstr("not XML"));
  for (unsigned i = 0; i < 200'000; ++i) deep += "</a>";
  EXPECT_THAT(parse_models_xml(deep + "</protocolModels>", "x", {}).error().message, HasSubstr("<a> does not belong"));
}

TEST(ModelExchange, FormatsAreToldApart) {
  EXPECT_TRUE(looks_like_xml(" \n<?xml"));
  EXPECT_TRUE(looks_like_xml("\xef\xbb\xbf<protocolModels>"));
  EXPECT_FALSE(looks_like_xml("[{"));
  EXPECT_FALSE(looks_like_xml(""));
}

}  // namespace
}  // namespace spidd
