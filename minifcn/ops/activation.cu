// ReLU and dropout: each thread does its own elements.

// y = max(x, 0); not a number stays so.
template <typename T>
__global__ void relu(const T* x, T* y, Index n) {
    FOR_EACH(i, n) y[i] = x[i] <= 0 ? T(0) : x[i];
}

// gx = scale gy where the output was positive.
template <typename T>
__global__ void relu_backward(const T* y, const T* gy, T* gx, Index n, T scale) {
    FOR_EACH(i, n) gx[i] = y[i] > 0 ? gy[i] * scale : T(0);
}

// y = scale x, or 0 where what is drawn lies below a limit. Backward is the same, with
// the same key.
template <typename T>
__global__ void dropout(const T* x, T* y, Index n, T scale, unsigned long long limit,
                        unsigned long long key) {
    FOR_EACH(i, n) y[i] = drawn(key + i) < limit ? T(0) : x[i] * scale;
}
