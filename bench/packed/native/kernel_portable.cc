// Plain C++: the reference that every other kernel must equal, and the fallback for any processor.
#include "kernels.h"

#include <cmath>

namespace bisr::portable {
namespace {

void pack(const float* x, int pixels, int channels, const float* threshold, const std::uint64_t* flip,
          std::uint64_t* words) {
    for (int p = 0; p < pixels; ++p, x += channels) {
        for (int c0 = 0, w = 0; c0 < channels; c0 += 64, ++w) {
            const int count = channels - c0 < 64 ? channels - c0 : 64;
            std::uint64_t bits = 0;
            for (int c = 0; c < count; ++c) {
                bits |= static_cast<std::uint64_t>(x[c0 + c] >= threshold[c0 + c]) << c;
            }
            *words++ = bits ^ flip[w];
        }
    }
}

// prepared: u64 [block][tap][word][kChannelBlock]
void prepare(const std::uint64_t* bits, int out_channels, int taps, int words, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::uint64_t*>(prepared);
    const int depth = taps * words;
    for (int co = 0; co < out_channels; ++co) {
        const int block = co / kChannelBlock, lane = co % kChannelBlock;
        for (int i = 0; i < depth; ++i) {
            out[(static_cast<std::size_t>(block) * depth + i) * kChannelBlock + lane] = bits[co * depth + i];
        }
    }
}

// Eight bytes, each the number of ones in that byte: sums of up to 31 such words do not overflow a byte.
std::uint64_t byte_popcounts(std::uint64_t v) {
    v -= (v >> 1) & 0x5555555555555555u;
    v = (v & 0x3333333333333333u) + ((v >> 2) & 0x3333333333333333u);
    return (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fu;
}

std::int32_t sum_of_bytes(std::uint64_t v) {
    // Pairs first: the whole sum can exceed one byte.
    v = (v & 0x00ff00ff00ff00ffu) + ((v >> 8) & 0x00ff00ff00ff00ffu);
    v += v >> 32;
    v += v >> 16;
    return static_cast<std::int32_t>(v & 0xffffu);
}

void accumulate_binary(const Span& span, std::int32_t* sums) {
    constexpr int kWordsPerFlush = 31;
    const std::size_t depth = static_cast<std::size_t>(span.taps_total) * span.depth;
    for (int p = 0; p < span.pixels; ++p) {
        for (int b = 0; b < span.blocks; ++b) {
            const auto* weights = reinterpret_cast<const std::uint64_t*>(span.weights) + b * depth * kChannelBlock;
            std::uint64_t bytes[kChannelBlock] = {};
            std::int32_t ones[kChannelBlock] = {};
            int pending = 0;
            const auto flush = [&] {
                for (int lane = 0; lane < kChannelBlock; ++lane) {
                    ones[lane] += sum_of_bytes(bytes[lane]);
                    bytes[lane] = 0;
                }
                pending = 0;
            };
            for (int t = 0; t < span.tap_count; ++t) {
                const auto* input = reinterpret_cast<const std::uint64_t*>(span.taps[t].input + p * span.pixel_stride);
                const auto* weight = weights + static_cast<std::size_t>(span.taps[t].index) * span.depth * kChannelBlock;
                for (int w = 0; w < span.depth; ++w, weight += kChannelBlock) {
                    for (int lane = 0; lane < kChannelBlock; ++lane) {
                        bytes[lane] += byte_popcounts(input[w] ^ weight[lane]);
                    }
                    if (++pending == kWordsPerFlush) {
                        flush();
                    }
                }
            }
            flush();
            for (int lane = 0; lane < kChannelBlock; ++lane) {
                *sums++ = span.offset - 2 * ones[lane];
            }
        }
    }
}

void quantize(const float* x, int pixels, int channels, const UniformInput& input, unsigned char* row) {
    auto* out = reinterpret_cast<std::int16_t*>(row);
    const int padded = channels + channels % 2;
    for (int p = 0; p < pixels; ++p, x += channels, out += padded) {
        out[padded - 1] = 0;
        for (int c = 0; c < channels; ++c) {
            const float shifted = input.shift != nullptr ? x[c] + input.shift[c] : x[c];
            float v = shifted / input.step;
            v = v > input.low ? v : input.low;
            v = v < input.high ? v : input.high;
            out[c] = static_cast<std::int16_t>(std::nearbyintf(v) - static_cast<float>(input.zero));
        }
    }
}

void accumulate_integer(const Span& span, std::int32_t* sums) {
    const std::size_t tap_weights = static_cast<std::size_t>(span.depth) * 2 * kChannelBlock;
    for (int p = 0; p < span.pixels; ++p) {
        for (int b = 0; b < span.blocks; ++b, sums += kChannelBlock) {
            const auto* weights = reinterpret_cast<const std::int16_t*>(span.weights) + b * span.taps_total * tap_weights;
            std::int32_t lanes[kChannelBlock];
            for (int lane = 0; lane < kChannelBlock; ++lane) {
                lanes[lane] = span.start[b * kChannelBlock + lane];
            }
            for (int t = 0; t < span.tap_count; ++t) {
                const auto* input = reinterpret_cast<const std::int16_t*>(span.taps[t].input + p * span.pixel_stride);
                const std::int16_t* weight = weights + span.taps[t].index * tap_weights;
                for (int c = 0; c < 2 * span.depth; ++c, weight += kChannelBlock) {
                    const std::int16_t value = input[c];
                    for (int lane = 0; lane < kChannelBlock; ++lane) {
                        lanes[lane] += value * weight[lane];
                    }
                }
            }
            for (int lane = 0; lane < kChannelBlock; ++lane) {
                sums[lane] = lanes[lane];
            }
        }
    }
}

} // namespace

void prepare_integer(const std::int8_t* weights, int out_channels, int taps, int channels, unsigned char* prepared) {
    auto* out = reinterpret_cast<std::int16_t*>(prepared);
    const int padded = channels + channels % 2;
    for (int co = 0; co < out_channels; ++co) {
        for (int tap = 0; tap < taps; ++tap) {
            const std::size_t first = (static_cast<std::size_t>(co / kChannelBlock) * taps + tap) * padded;
            for (int c = 0; c < channels; ++c) {
                out[(first + c) * kChannelBlock + co % kChannelBlock] = *weights++;
            }
        }
    }
}

void epilogue(const EpilogueParams& params, const EpilogueSpan& span) {
    const int channels = params.channels;
    const std::size_t base_stride = kMaxSpan * span.padded;
    const float* __restrict bias = params.bias;
    const float* __restrict pre = params.pre;
    const float* __restrict slope = params.slope;
    const float* __restrict post = params.post;
    for (int p = 0; p < span.pixels; ++p) {
        const std::int32_t* sums = span.sums + p * span.padded;
        const float map = span.scale_map != nullptr ? span.scale_map[p] : 1.0f;
        const float* __restrict skip = params.skip == Skip::none ? nullptr : span.skip + p * span.stride;
        float* __restrict out = span.out + p * span.stride;
        for (int b = 0; b < params.bases; ++b) {
            const float* __restrict scale = params.scale + b * params.scale_plane;
            const std::int32_t* __restrict base = sums + b * base_stride;
            for (int c = 0; c < channels; ++c) {
                const float term = scale[c] * static_cast<float>(base[c]);
                out[c] = b == 0 ? term : out[c] + term;
            }
        }
        for (int c = 0; c < channels; ++c) {
            out[c] = out[c] * map + bias[c];
        }
        for (int c = 0; params.skip == Skip::before && c < channels; ++c) {
            out[c] += skip[c];
        }
        for (int c = 0; c < channels; ++c) {
            const float y = out[c] + pre[c];
            const float sloped = y * slope[c];
            out[c] = (y >= 0.0f ? y : sloped) + post[c];
        }
        for (int c = 0; params.skip == Skip::after && c < channels; ++c) {
            out[c] += skip[c];
        }
    }
}

const BinaryOps binary{"portable", 8, 8 * kChannelBlock, false, pack, nullptr, prepare, accumulate_binary};
const IntegerOps integer{"portable", 2, kGroupBytes, 0, false, 0, quantize, prepare_integer, accumulate_integer};

} // namespace bisr::portable
