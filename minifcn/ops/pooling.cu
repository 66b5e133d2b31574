// Max pooling and its gradient. Output (r, q) of a plane looks at the taps
// (r SH + i DH - top, q SW + j DW - left), i < KH, j < KW; those outside do not count.

// y = the largest value of each window: one thread an output. NaN is larger than all.
template <typename T>
__global__ void max_pool(const T* x, T* y, Index n, Index H, Index W, Index OH,
                         Index OW, Index KH, Index KW, Index SH, Index SW, Index DH,
                         Index DW, Index top, Index left, T lowest) {
    FOR_EACH(k, n) {
        const T* plane = x + k / (OH * OW) * H * W;
        Index h0 = k / OW % OH * SH - top, w0 = k % OW * SW - left;  // the first tap
        T largest = lowest;  // -infinity: CUDA's compiler knows no name for it
        for (Index i = 0; i < KH; i++)
            for (Index j = 0; j < KW; j++) {
                Index h = h0 + i * DH, w = w0 + j * DW;
                if (h < 0 || h >= H || w < 0 || w >= W) continue;
                T value = plane[h * W + w];
                if (value > largest || value != value) largest = value;
                if (largest != largest) i = KH, j = KW;  // a NaN: look no further
            }
        y[k] = largest;
    }
}

// Return the number h W + w of the first pixel, row by row, that holds `largest`, in
// the window whose first tap is (h0, w0); -1 if there is none, as where it is NaN.
template <typename T>
__device__ Index first_maximum(const T* plane, T largest, Index h0, Index w0, Index H,
                               Index W, Index KH, Index KW, Index DH, Index DW) {
    for (Index i = 0; i < KH; i++)
        for (Index j = 0; j < KW; j++) {
            Index h = h0 + i * DH, w = w0 + j * DW;
            bool inside = 0 <= h && h < H && 0 <= w && w < W;
            if (inside && plane[h * W + w] == largest) return h * W + w;
        }
    return -1;
}

// indices = the pixel where each window has its maximum: one thread an output.
template <typename T>
__global__ void max_pool_indices(const T* x, const T* y, Index* indices, Index n,
                                 Index H, Index W, Index OH, Index OW, Index KH,
                                 Index KW, Index SH, Index SW, Index DH, Index DW,
                                 Index top, Index left) {
    FOR_EACH(k, n) {
        Index h0 = k / OW % OH * SH - top, w0 = k % OW * SW - left;
        const T* plane = x + k / (OH * OW) * H * W;
        indices[k] = first_maximum(plane, y[k], h0, w0, H, W, KH, KW, DH, DW);
    }
}

// gx = the sum of gy over the windows whose first maximum a pixel is: one thread a
// pixel, which asks every window that sees it. Nobody else adds to its sum, so nothing
// needs to be atomic. The windows come last to first, and so its taps in them first to
// last: the order in which NumPy adds.
template <typename T>
__global__ void max_pool_backward(const T* x, const T* y, const T* gy, T* gx, Index n,
                                  Index H, Index W, Index OH, Index OW, Index KH,
                                  Index KW, Index SH, Index SW, Index DH, Index DW,
                                  Index top, Index left) {
    FOR_EACH(k, n) {
        Index pixel = k % (H * W), a = pixel / W + top, b = pixel % W + left;
        const T* plane = x + (k - pixel);
        Index outputs = k / (H * W) * OH * OW;  // where those of its plane begin
        Index first_r = first_window(a, KH, SH, DH);
        Index first_q = first_window(b, KW, SW, DW);
        T sum = 0;
        for (Index r = min(a / SH, OH - 1); r >= first_r; r--) {
            if ((a - r * SH) % DH) continue;  // between two taps
            for (Index q = min(b / SW, OW - 1); q >= first_q; q--) {
                Index o = outputs + r * OW + q;
                // Most windows are done with here: the largest is another.
                if ((b - q * SW) % DW || x[k] != y[o]) continue;
                Index h0 = r * SH - top, w0 = q * SW - left;
                if (first_maximum(plane, y[o], h0, w0, H, W, KH, KW, DH, DW) == pixel)
                    sum += gy[o];
            }
        }
        gx[k] = sum;
    }
}
