// Random chains, run in groups, strips and bands, against the portable kernel's layers one at a time.
#pragma once

#include "cases.h"
#include "chain.h"

#include <algorithm>
#include <memory>

namespace cases {

struct ChainCase {
    std::vector<Case> layers;
    std::vector<std::pair<int, int>> reads; // input and shortcut of each step
    ImageSize size;
};

// Own shortcuts, shortcuts two layers back, and none; widths change where nothing is added.
inline ChainCase chain_case(std::mt19937_64& random) {
    const auto pick = [&](std::initializer_list<int> values) { return values.begin()[random() % values.size()]; };
    ChainCase made{{}, {}, {pick({1, 2}), pick({1, 4, 9}), pick({1, 3, 37, 70})}};
    std::vector<int> channels{pick({1, 33, 60, 64, 130})};
    const int count = pick({2, 3, 5});
    for (int i = 0; i < count; ++i) {
        const int shortcut = pick({-1, i, i > 0 ? i - 1 : -1});
        const int out = shortcut >= 0 ? channels[shortcut] : pick({channels[i], 65});
        const int kernel = pick({1, 3, 3, 5}), dilation = pick({1, 1, 2}), pad = dilation * (kernel / 2);
        const Geometry geometry{channels[i], out, pick({1, 2}), kernel, kernel, 1, pad, pad, dilation};
        const Kind kind = static_cast<Kind>(pick({0, 0, 0, 1, 2}));
        const Skip skip = shortcut < 0 ? Skip::none : static_cast<Skip>(pick({1, 2}));
        made.layers.push_back({kind, geometry, 1, 1, 1, pick({0, -4}), pick({3, 100}), 7,
                               static_cast<int>(random() % 16), skip});
        made.reads.emplace_back(i, shortcut);
        channels.push_back(out);
    }
    return made;
}

inline std::vector<float> one_at_a_time(const std::vector<std::unique_ptr<Layer>>& layers, const ChainCase& c,
                                        const std::vector<float>& x) {
    std::vector<std::vector<float>> tensors{x};
    for (std::size_t i = 0; i < layers.size(); ++i) {
        const auto [input, shortcut] = c.reads[i];
        std::vector<float> out(x.size() / layers[0]->geometry().in_channels * layers[i]->geometry().out_channels);
        Result result;
        result.out = out.data();
        result.skip = shortcut < 0 ? nullptr : tensors[shortcut].data();
        layers[i]->run({tensors[input].data(), c.size.n, c.size.h, c.size.w}, result, 1);
        tensors.push_back(std::move(out));
    }
    return tensors.back();
}

inline bool runs_alike(const Chain& chain, const ChainCase& c, const std::vector<float>& x,
                       const std::vector<float>& expected, int threads) {
    for (int group = 0; group <= static_cast<int>(c.layers.size()); ++group) {
        for (const int strip : {0, 16, 33}) {
            const Caches caches{1 << 12, std::size_t{1} << (strip == 0 ? 15 : 20)};
            const ChainPlan plan = chain.plan(c.size, threads, {group, strip, threads > 1 ? 3 : 0}, caches);
            std::vector<float> out(expected.size());
            chain.run(x.data(), out.data(), c.size, plan, threads);
            if (!equal({{}, expected}, {{}, out})) {
                std::printf("groups of %d, strips of %d, %d threads: ", group, strip, threads);
                return false;
            }
        }
    }
    return true;
}

// True when chains of every kernel give what the portable kernel's layers give.
inline bool chains_agree(const Kernel& portable, const std::vector<Kernel>& kernels, int count,
                         const std::vector<int>& threads) {
    std::mt19937_64 random(1);
    for (int i = 0; i < count; ++i) {
        const ChainCase c = chain_case(random);
        std::vector<Content> contents;
        for (const Case& layer_case : c.layers) {
            contents.push_back(content(layer_case, random));
        }
        const auto build = [&](const Kernel& kernel) {
            std::vector<std::unique_ptr<Layer>> layers;
            for (std::size_t l = 0; l < c.layers.size(); ++l) {
                layers.push_back(std::unique_ptr<Layer>(new Layer(layer(kernel, c.layers[l], contents[l]))));
            }
            return layers;
        };
        std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
        const int channels = c.layers[0].geometry.in_channels;
        std::vector<float> x(static_cast<std::size_t>(c.size.n) * c.size.h * c.size.w * channels);
        std::generate(x.begin(), x.end(), [&] { return uniform(random); });
        const std::vector<float> expected = one_at_a_time(build(portable), c, x);
        for (const Kernel& kernel : kernels) {
            const std::vector<std::unique_ptr<Layer>> layers = build(kernel);
            std::vector<ChainStep> steps;
            for (std::size_t l = 0; l < layers.size(); ++l) {
                steps.push_back({layers[l].get(), c.reads[l].first, c.reads[l].second});
            }
            const Chain chain(steps);
            if (!runs_alike(chain, c, x, expected, threads[i % threads.size()])) {
                std::printf("chain %d of %s differs\n", i, kernel.name);
                return false;
            }
        }
    }
    std::printf("%d chains agree\n", count);
    return true;
}

} // namespace cases
