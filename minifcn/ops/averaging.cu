// Average pooling and its gradient. Output (r, q) of a plane is the mean of the taps
// (r SH + i DH - top, q SW + j DW - left), i < KH, j < KW; those outside add nothing.

// How many of K taps, D apart from `start` on, lie from low to high - 1.
__device__ Index counted(Index start, Index K, Index D, Index low, Index high) {
    Index count = 0;
    for (Index i = 0; i < K; i++)
        count += low <= start + i * D && start + i * D < high;
    return count;
}

// divisor (OH, OW) = the taps of each window that count: those in the image, or in the
// image and its padding; at least 1, so that the mean of none is 0 and not 0 / 0.
template <typename T>
__global__ void avg_pool_divisor(T* divisor, Index n, Index H, Index W, Index OW,
                                 Index KH, Index KW, Index SH, Index SW, Index DH,
                                 Index DW, Index top, Index bottom, Index left,
                                 Index right, bool include_pad) {
    FOR_EACH(k, n) {
        Index h0 = k / OW * SH - top, w0 = k % OW * SW - left;  // the first tap
        Index rows = include_pad ? counted(h0, KH, DH, -top, H + bottom)
                                 : counted(h0, KH, DH, 0, H);
        Index cols = include_pad ? counted(w0, KW, DW, -left, W + right)
                                 : counted(w0, KW, DW, 0, W);
        divisor[k] = max(rows * cols, Index(1));
    }
}

// y = the sum of each window / its divisor: one thread an output. Columns are added
// down, and then together: so the sum is NumPy's to the last bit.
template <typename T>
__global__ void avg_pool(const T* x, const T* divisor, T* y, Index n, Index H, Index W,
                         Index OH, Index OW, Index KH, Index KW, Index SH, Index SW,
                         Index DH, Index DW, Index top, Index left) {
    FOR_EACH(k, n) {
        const T* plane = x + k / (OH * OW) * H * W;
        Index h0 = k / OW % OH * SH - top, w0 = k % OW * SW - left;  // the first tap
        T sum = 0;
        for (Index j = 0; j < KW; j++) {
            Index w = w0 + j * DW;
            if (w < 0 || w >= W) continue;
            T column = 0;
            for (Index i = 0; i < KH; i++) {
                Index h = h0 + i * DH;
                if (0 <= h && h < H) column += plane[h * W + w];
            }
            sum += column;
        }
        y[k] = sum / divisor[k % (OH * OW)];
    }
}

// gx = the sum of gy / divisor over the windows that see a pixel: one thread a pixel.
// Nobody else adds to its sum, so nothing needs to be atomic. The windows come last to
// first, and so its taps in them first to last: the order in which NumPy adds.
template <typename T>
__global__ void avg_pool_backward(const T* gy, const T* divisor, T* gx, Index n,
                                  Index H, Index W, Index OH, Index OW, Index KH,
                                  Index KW, Index SH, Index SW, Index DH, Index DW,
                                  Index top, Index left) {
    FOR_EACH(k, n) {
        Index a = k / W % H + top, b = k % W + left;  // the pixel, in the frame
        const T* plane = gy + k / (H * W) * OH * OW;
        Index first_r = first_window(a, KH, SH, DH);
        Index first_q = first_window(b, KW, SW, DW);
        T sum = 0;
        for (Index r = min(a / SH, OH - 1); r >= first_r; r--) {
            if ((a - r * SH) % DH) continue;  // between two taps
            T line = 0;
            for (Index q = min(b / SW, OW - 1); q >= first_q; q--)
                if ((b - q * SW) % DW == 0)
                    line += plane[r * OW + q] / divisor[r * OW + q];
            sum += line;
        }
        gx[k] = sum;
    }
}
