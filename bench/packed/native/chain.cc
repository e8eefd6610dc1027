#include "chain_group.h"
#include "pool.h"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bisr {
namespace {

// Strips narrower than this would compute more beside them than in them.
constexpr int kLeastStrip = 64;
// What reading and writing a whole tensor of floats costs, in layers computed from the cache. Measured; the choice it
// leads to is flat around the best.
constexpr double kTraffic = 0.6;

bool same_size(const Geometry& g) {
    return g.stride == 1 && g.kernel_h % 2 == 1 && g.kernel_w % 2 == 1 && g.pad_h == g.dilation * (g.kernel_h / 2) &&
           g.pad_w == g.dilation * (g.kernel_w / 2);
}

int divided(int value, int by) { return (value + by - 1) / by; }

// Ends of groups of about equally many steps, each at most `most` long where the cuts allow it.
std::vector<int> split(const std::vector<int>& cuts, int most) {
    const int total = cuts.back(), groups = divided(total, most);
    std::vector<int> ends;
    for (std::size_t i = 0; i < cuts.size(); ++i) {
        const int wanted = total * (static_cast<int>(ends.size()) + 1) / groups;
        if (i + 1 == cuts.size() || cuts[i + 1] > wanted) {
            ends.push_back(cuts[i]);
        }
    }
    return ends;
}

std::vector<ChainGroup> groups_of(const std::vector<ChainStep>& steps, const std::vector<int>& ends) {
    std::vector<ChainGroup> groups;
    int begin = 0;
    for (const int end : ends) {
        groups.emplace_back(steps, begin, end);
        begin = end;
    }
    return groups;
}

} // namespace

Chain::Chain(std::vector<ChainStep> steps) : steps_(std::move(steps)) {
    const auto require = [](bool holds, std::size_t step, const char* what) {
        if (!holds) {
            throw std::invalid_argument("chain, step " + std::to_string(step) + ": " + what);
        }
    };
    require(!steps_.empty(), 0, "there is none");
    std::vector<int> channels{steps_[0].layer->geometry().in_channels};
    std::vector<int> read_until(steps_.size() + 1, -1); // last step that reads a tensor
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const auto& [layer, input, shortcut] = steps_[i];
        const Geometry& g = layer->geometry();
        const int newest = static_cast<int>(i);
        require(same_size(g), i, "its output has another size than its input");
        require(input >= 0 && input <= newest, i, "it reads a tensor that is not there yet");
        require(shortcut >= -1 && shortcut <= newest, i, "its shortcut is not there yet");
        require((shortcut >= 0) == (layer->skip() != Skip::none), i, "shortcut given to a layer without one, or missing");
        require(channels[input] == g.in_channels, i, "it takes another number of channels");
        require(shortcut < 0 || channels[shortcut] == g.out_channels, i, "its shortcut has another number of channels");
        channels.push_back(g.out_channels);
        read_until[input] = newest;
        if (shortcut >= 0) {
            read_until[shortcut] = newest;
        }
    }
    int open = 0; // last step that reads anything written so far but the newest tensor
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        require(i == 0 ? read_until[0] >= 0 : read_until[i] >= static_cast<int>(i), i, "nothing reads its input");
        open = std::max(open, read_until[i]);
        if (open <= static_cast<int>(i)) {
            cuts_.push_back(static_cast<int>(i) + 1);
        }
    }
}

ChainPlan Chain::plan(const ImageSize& size, int threads, const ChainWish& wish, const Caches& caches) const {
    const std::size_t room = caches.second / 4 * 3;
    // A band for each thread that strips and images leave idle, thick against the rows that two bands both compute.
    const auto bands = [&](int strip) {
        const int parts = divided(size.w, strip) * size.n;
        return std::clamp(wish.bands > 0 ? wish.bands : divided(threads, parts), 1,
                          wish.bands > 0 ? size.h : std::max(1, size.h / 8));
    };
    ChainPlan best{};
    double least = 0;
    const auto consider = [&](int group, int strip) {
        ChainPlan plan{split(cuts_, group), strip, bands(strip), 0, 0, size, threads, this};
        double cost = 0;
        std::size_t most = 0;
        int begin = 0;
        for (std::size_t i = 0; i < plan.ends.size(); ++i) {
            const ChainGroup part(steps_, begin, plan.ends[i]);
            const std::size_t bytes = part.bytes(size.w, strip);
            plan.worker_bytes = std::max(plan.worker_bytes, bytes);
            most = std::max(most, bytes + part.weight_bytes());
            cost += kTraffic + (plan.ends[i] - begin) * part.overlap(size, strip, plan.bands);
            begin = plan.ends[i];
            if (begin < cuts_.back()) {
                const std::size_t pixels = static_cast<std::size_t>(size.n) * size.h * size.w;
                plan.between_floats = std::max(plan.between_floats, pixels * part.out_channels());
            }
        }
        if (most > room) { // the further it is from fitting, the more
            cost *= 4.0 * static_cast<double>(most) / static_cast<double>(room);
        }
        if (best.ends.empty() || cost < least) {
            best = plan;
            least = cost;
        }
    };
    std::vector<int> strips{size.w};
    for (int parts = 2; divided(size.w, parts) >= kLeastStrip; ++parts) {
        strips.push_back(divided(divided(size.w, parts), kMaxSpan) * kMaxSpan);
    }
    if (wish.strip > 0) {
        strips = {std::min(wish.strip, size.w)};
    }
    const int longest = wish.group > 0 ? std::min(wish.group, cuts_.back()) : cuts_.back();
    for (const int strip : strips) {
        for (int group = wish.group > 0 ? longest : 1; group <= longest; ++group) {
            consider(group, strip);
        }
    }
    return best;
}

void Chain::run(const float* x, float* out, const ImageSize& size, const ChainPlan& plan, int threads) const {
    // Whole tensors between groups: the last but one, the last but three ... in one place, the others in another.
    const std::unique_ptr<float[]> between[2] = {
        std::unique_ptr<float[]>(plan.ends.size() > 1 ? new float[plan.between_floats] : nullptr),
        std::unique_ptr<float[]>(plan.ends.size() > 2 ? new float[plan.between_floats] : nullptr)};
    const AlignedBytes memory(plan.worker_bytes * threads);
    const int strips = divided(size.w, plan.strip), band = divided(size.h, plan.bands);
    const int bands = divided(size.h, band);
    int begin = 0;
    for (std::size_t i = 0; i < plan.ends.size(); ++i) {
        const ChainGroup group(steps_, begin, plan.ends[i]);
        float* const target = i + 1 == plan.ends.size() ? out : between[i % 2].get();
        parallel_for(threads, size.n * bands * strips, [&](int item, int worker) {
            const int x0 = item % strips * plan.strip, y0 = item / strips % bands * band;
            const Part part{item / strips / bands, y0, std::min(y0 + band, size.h), x0, std::min(x0 + plan.strip, size.w)};
            steps_[begin].layer->enter();
            group.run(x, target, size, plan.strip, part, memory.data() + worker * plan.worker_bytes);
            steps_[begin].layer->leave();
        });
        x = target;
        begin = plan.ends[i];
    }
}

} // namespace bisr
