// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// spidctl models on directories, as an administrator uses it.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "userspace/ctl/command.h"
#include "userspace/ctl/models_change.h"
#include "userspace/daemon/config.h"

namespace spidd {
namespace {

namespace fs = std::filesystem;

class ModelsCommand : public testing::Test {
 protected:
  ModelsCommand() {
    std::string pattern = testing::TempDir() + "spidd-models-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    ModelDatabase models;
    for (const char* label : {"dns", "imap", "pop3"}) {
      ProtocolModel& model = models.find_or_add(label, Transport::tcp, Category::plain, label);
      model.flows = 30;
      model.captures = 3;
      model.payload_packets = 150;
      model.counters[7] = 150;
      model.measurements[0] = 150;
    }
    EXPECT_TRUE(save_models(models, path("models")));
  }
  ~ModelsCommand() override { fs::remove_all(root_); }

  std::string path(const std::string& name) const { return root_ + "/" + name; }
  int run(std::vector<std::string> words, const std::string& directory = "models") {
    words.push_back("--models");
    words.push_back(path(directory));
    return command_models({"", words});
  }
  std::vector<std::string> labels(const std::string& directory = "models") const {
    std::vector<std::string> found;
    const auto models = load_models(path(directory));
    if (!models) return {models.error().message};
    for (const ProtocolModel& model : models->models) found.push_back(model.label);
    return found;
  }

  std::string root_;
};

TEST_F(ModelsCommand, MergesRenamesAndForgets) {
  EXPECT_EQ(run({"merge", "imap", "pop3", "--into", "mail"}), kExitDone);
  EXPECT_THAT(labels(), testing::ElementsAre("dns", "mail"));
  EXPECT_EQ(load_models(path("models"))->find("mail", Transport::tcp)->flows, 60U);
  EXPECT_EQ(run({"rename", "mail", "post"}), kExitDone);
  EXPECT_THAT(labels(), testing::ElementsAre("dns", "post"));
  EXPECT_EQ(run({"forget", "post", "--transport", "tcp"}), kExitDone);
  EXPECT_THAT(labels(), testing::ElementsAre("dns"));
}

TEST_F(ModelsCommand, AFailingCommandChangesNothing) {
  const auto before = labels();
  EXPECT_EQ(run({"merge", "imap", "xyz", "--into", "mail"}), kExitFailed);
  EXPECT_EQ(run({"merge", "imap"}), kExitUsage);
  EXPECT_EQ(run({"rename", "imap", "pop3"}), kExitFailed);
  EXPECT_EQ(run({"forget", "xyz"}), kExitFailed);
  EXPECT_EQ(run({"frobnicate"}), kExitUsage);
  std::ofstream(path("bad.xml")) << "<protocolModels><protocolModel name='a'/></protocolModels>";
  EXPECT_EQ(run({"import", path("bad.xml"), "--category", "plain", "--transport", "tcp"}), kExitFailed);
  std::ofstream(path("models/zzz.tcp.json")) << "{";
  EXPECT_EQ(run({"forget", "imap"}), kExitFailed);
  fs::remove(path("models/zzz.tcp.json"));
  EXPECT_EQ(labels(), before);
}

TEST_F(ModelsCommand, ExportsAndImportsBothForms) {
  for (const std::string name : {"all.xml", "all.json"}) {
    std::vector<std::string> words{"export", "all", path(name)};
    if (name.ends_with("xml")) words.emplace_back("--all-meters");
    EXPECT_EQ(run(words), kExitDone);
    EXPECT_EQ(run({"import", path(name)}, name + ".new"), kExitDone);
    const auto copy = load_models(path(name + ".new"));
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(copy->models, load_models(path("models"))->models) << name;
  }
}

TEST_F(ModelsCommand, XmlHasTheMetersOfTheOriginalUnlessAllAreAskedFor) {
  EXPECT_EQ(run({"export", "all", path("few.xml")}), kExitDone);
  EXPECT_EQ(run({"import", path("few.xml")}, "few"), kExitDone);
  const auto few = load_models(path("few"));
  ASSERT_TRUE(few) << few.error().message;
  const auto all = load_models(path("models"));
  ASSERT_EQ(few->models.size(), all->models.size());
  for (std::size_t i = 0; i < few->models.size(); ++i)
    for (unsigned meter = 0; meter < kMeterCount; ++meter)
      EXPECT_EQ(few->models[i].measurements[meter],
                meter < kOriginalMeterCount ? all->models[i].measurements[meter] : 0U);
  EXPECT_EQ(run({"export", "all", path("all.json"), "--all-meters"}), kExitUsage);
}

TEST_F(ModelsCommand, TheShippedModelsSurviveExportAndImport) {
  const std::string shipped = SPIDD_POLICY_DIR "/models";
  const auto output_of = [](std::vector<std::string> words) {
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    EXPECT_EQ(command_models({"", std::move(words)}), kExitDone);
    testing::internal::GetCapturedStdout();
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(output_of({"export", "all", path("all.json"), "--one-way", "--models", shipped}), "");
  EXPECT_EQ(output_of({"import", path("all.json"), "--models", path("copy")}), "");
  EXPECT_EQ(output_of({"list", "--models", path("copy")}), "");
  EXPECT_EQ(load_models(path("copy"))->models, load_models(shipped)->models);
  EXPECT_THAT(output_of({"export", "dns", path("dns.json"), "--models", shipped}),
              testing::HasSubstr("models of single directions are left out: --one-way takes them along"));
}

TEST_F(ModelsCommand, ImportsWhatIsAskedForUnderTheNameAskedFor) {
  EXPECT_EQ(run({"export", "all", path("all.json")}), kExitDone);
  EXPECT_EQ(run({"import", path("all.json"), "--only", "imap", "--rename", "imap=mail"}), kExitDone);
  EXPECT_THAT(labels(), testing::ElementsAre("dns", "imap", "mail", "pop3"));
  EXPECT_EQ(run({"import", path("all.json"), "--only", "imap"}), kExitFailed);
  EXPECT_EQ(run({"import", path("all.json"), "--only", "imap", "--add"}), kExitDone);
  EXPECT_EQ(load_models(path("models"))->find("imap", Transport::tcp)->flows, 60U);
  EXPECT_EQ(run({"import", path("all.json"), "--only", "imap", "--replace"}), kExitDone);
  EXPECT_EQ(load_models(path("models"))->find("imap", Transport::tcp)->flows, 30U);
}

TEST_F(ModelsCommand, ListsWhatAModelLacksToBlock) {
  ModelDatabase models = *load_models(path("models"));
  models.models[0].flows = 9;
  models.models[0].payload_packets = 60;
  models.models[0].captures = 1;
  ASSERT_TRUE(save_models(models, path("models")));
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"list"}), kExitDone);
  const std::string text = testing::internal::GetCapturedStdout();
  EXPECT_THAT(text, testing::HasSubstr("no: 1 more flow, 40 more packets, 1 more capture"));
  EXPECT_THAT(text, testing::HasSubstr("3 models"));
}

TEST_F(ModelsCommand, SaysWhoseTheModelsAre) {
  const auto list = [](std::vector<std::string> words) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(command_models({"", std::move(words)}), kExitDone);
    return testing::internal::GetCapturedStdout();
  };
  const std::string own = list({"list", "--json", "--models", path("models")});
  EXPECT_THAT(own, testing::HasSubstr("\"origin\": \"own\""));
  EXPECT_THAT(own, testing::Not(testing::HasSubstr("shipped")));
  fs::create_directory_symlink(default_models_directory(), path("link"));
  for (const std::string& directory : {default_models_directory(), path("link")})
    EXPECT_THAT(list({"list", "--json", "--models", directory}), testing::HasSubstr("\"origin\": \"shipped\""));
}

TEST_F(ModelsCommand, WarnsOfThresholdsThatWereFoundAmongOtherModels) {
  ModelDatabase models = *load_models(path("models"));
  models.models[0].threshold = 0.5F;
  ASSERT_TRUE(save_models(models, path("models")));
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"list", "--json"}), kExitDone);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("thresholds were found among other models than these"));
}

}  // namespace
}  // namespace spidd
