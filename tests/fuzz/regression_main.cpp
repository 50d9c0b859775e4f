// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Runs a fuzzer's entry point without libFuzzer: over every seed, then over mutations of them. Mutation n depends only
// on n and the seeds, so that a failure repeats.
//   NAME_regression SEED_DIRECTORY MUTATIONS    all of them
//   NAME_regression SEED_DIRECTORY = N          mutation N alone, to look into a failure
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;

// Written before each input; read by the handler of the signal that ends the program.
char current[128] = "";

extern "C" void name_the_input(int) {
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, current, std::char_traits<char>::length(current));
}

void say(std::string_view text) {
  const std::size_t size = std::min(text.size(), sizeof current - 1);
  current[std::copy_n(text.data(), size, current) - current] = '\0';
}

class Mutator {
 public:
  Mutator(const std::vector<Bytes>& seeds, std::uint64_t number) : seeds_(seeds), random_(number) {}

  Bytes make() {
    Bytes bytes = any_seed();
    for (std::size_t changes = 1 + below(8); changes > 0; --changes) change(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }
  std::uint8_t any_byte() { return static_cast<std::uint8_t>(random_()); }
  const Bytes& any_seed() { return seeds_[below(seeds_.size())]; }
  static auto at(Bytes& bytes, std::size_t offset) { return bytes.begin() + static_cast<std::ptrdiff_t>(offset); }

  void change(Bytes& bytes) {
    constexpr std::uint8_t kEdges[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\n', '"', '9'};
    if (bytes.empty()) bytes.push_back(any_byte());
    const std::size_t offset = below(bytes.size());
    const std::size_t length = 1 + below(std::min<std::size_t>(bytes.size() - offset, 32));
    switch (below(7)) {
      case 0:
        bytes[offset] = static_cast<std::uint8_t>(bytes[offset] ^ (1U << below(8)));
        break;
      case 1:
        bytes[offset] = any_byte();
        break;
      case 2:
        std::fill_n(at(bytes, offset), length, kEdges[below(std::size(kEdges))]);
        break;
      case 3:
        bytes.resize(offset);
        break;
      case 4:
        bytes.erase(at(bytes, offset), at(bytes, offset + length));
        break;
      case 5: {
        const Bytes part(at(bytes, offset), at(bytes, offset + length));
        bytes.insert(at(bytes, below(bytes.size())), part.begin(), part.end());
        break;
      }
      default: {
        const Bytes& other = any_seed();
        const std::size_t from = below(other.size());
        bytes.resize(offset);
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
      }
    }
  }

  const std::vector<Bytes>& seeds_;
  std::mt19937_64 random_;
};

void run(const Bytes& bytes) { LLVMFuzzerTestOneInput(bytes.data(), bytes.size()); }

}  // namespace

int main(int argc, char** argv) {
  const std::string_view last = argc > 1 ? argv[argc - 1] : "";
  std::uint64_t number = 0;
  if (argc < 3 || argc > 4 || std::from_chars(last.data(), last.data() + last.size(), number).ec != std::errc{}) {
    fmt::print(stderr, "usage: {} SEED_DIRECTORY MUTATIONS\n       {} SEED_DIRECTORY = N\n", argv[0], argv[0]);
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGILL, SIGBUS}) {
    struct sigaction action {};
    action.sa_handler = &name_the_input;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    ::sigaction(signal, &action, nullptr);
  }

  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> seeds;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    seeds.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  if (seeds.empty()) {
    fmt::print(stderr, "{}: no seeds\n", argv[1]);
    return 1;
  }

  if (argc == 4) {
    say(fmt::format("failed: mutation {}\n", number));
    run(Mutator(seeds, number).make());
    return 0;
  }
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    say(fmt::format("failed: seed {}\n", std::filesystem::path(paths[i]).filename().string()));
    run(seeds[i]);
  }
  for (std::uint64_t n = 0; n < number; ++n) {
    say(fmt::format("failed: mutation {}\n", n));
    run(Mutator(seeds, n).make());
  }
  fmt::print("{} seeds, {} mutations\n", seeds.size(), number);
  return 0;
}
