// Softmax, its logarithm, and the losses made of them.
//
// Arrays are seen as (N, C, inner): C scores along the axis of the classes, `inner`
// numbers apart. A thread does the C scores of one place: the kth of N * inner, which
// begin at `first_of`. Neighbouring threads read neighbouring numbers (inner > 1).

// Where the scores of place k begin.
__device__ Index first_of(Index k, Index C, Index inner) {
    return k / inner * C * inner + k % inner;
}

// The largest of C scores. What is no number is passed over, and shows in their sum.
template <typename T>
__device__ T largest_of(const T* x, Index C, Index inner) {
    T largest = x[0];
    for (Index c = 1; c < C; c++) {
        if (x[c * inner] > largest) largest = x[c * inner];
    }
    return largest;
}

// The sum of exp(x_c - largest): between 1 and C, so exp never overflows.
template <typename T>
__device__ T sum_of_exp(const T* x, T largest, Index C, Index inner) {
    T total = 0;
    for (Index c = 0; c < C; c++) total += exp(x[c * inner] - largest);
    return total;
}

// y_c = exp x_c / sum of exp x_k.
template <typename T>
__global__ void softmax(const T* x, T* y, Index n, Index C, Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), end = first + C * inner;
        T largest = largest_of(x + first, C, inner);
        T total = sum_of_exp(x + first, largest, C, inner);
        for (Index i = first; i < end; i += inner) y[i] = exp(x[i] - largest) / total;
    }
}

// gx_c = y_c * (gy_c - sum of gy_k y_k).
template <typename T>
__global__ void softmax_backward(const T* y, const T* gy, T* gx, Index n, Index C,
                                 Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), end = first + C * inner;
        T total = 0;
        for (Index i = first; i < end; i += inner) total += gy[i] * y[i];
        for (Index i = first; i < end; i += inner) gx[i] = y[i] * (gy[i] - total);
    }
}

// y_c = x_c - log of the sum of exp x_k.
template <typename T>
__global__ void log_softmax(const T* x, T* y, Index n, Index C, Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), end = first + C * inner;
        T largest = largest_of(x + first, C, inner);
        T log_sum = log(sum_of_exp(x + first, largest, C, inner));
        for (Index i = first; i < end; i += inner) y[i] = x[i] - largest - log_sum;
    }
}

// gx_c = gy_c - exp y_c * sum of gy_k.
template <typename T>
__global__ void log_softmax_backward(const T* y, const T* gy, T* gx, Index n, Index C,
                                     Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), end = first + C * inner;
        T total = 0;
        for (Index i = first; i < end; i += inner) total += gy[i];
        for (Index i = first; i < end; i += inner) gx[i] = gy[i] - exp(y[i]) * total;
    }
}

// Each pixel's class, -1 where it is ignored, and the weight of that class, else 0.
// A class that there is not becomes the first, with a weight that spoils the loss.
template <typename T>
__global__ void pixel_weights(const Index* target, const T* weight, Index* classes,
                              T* w, Index n, Index C, Index ignore) {
    FOR_EACH(k, n) {
        Index t = target[k];
        bool known = t >= 0 && t < C;
        classes[k] = t == ignore ? -1 : known ? t : 0;
        w[k] = t == ignore ? T(0) : known ? weight[t] : T(nan(""));
    }
}

// loss = -w * x_t, 0 where the pixel is ignored.
template <typename T>
__global__ void nll_loss(const T* x, const Index* classes, const T* w, T* loss, Index n,
                         Index C, Index inner) {
    FOR_EACH(k, n) {
        Index t = classes[k];
        loss[k] = t < 0 ? T(0) : -x[first_of(k, C, inner) + t * inner] * w[k];
    }
}

// gx_c = -share where c is the pixel's class, else 0.
template <typename T>
__global__ void nll_loss_backward(const Index* classes, const T* shares, T* gx, Index n,
                                  Index C, Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), t = classes[k];
        for (Index c = 0; c < C; c++) gx[first + c * inner] = c == t ? -shares[k] : T(0);
    }
}

// p = softmax x, kept for the way back, and loss = -w * log p_t: as the log of the sum
// less the score, so that no log of a tiny p is taken. 0 where the pixel is ignored.
template <typename T>
__global__ void cross_entropy(const T* x, const Index* classes, const T* w, T* p,
                              T* loss, Index n, Index C, Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), end = first + C * inner, t = classes[k];
        T largest = largest_of(x + first, C, inner);
        T total = sum_of_exp(x + first, largest, C, inner);
        for (Index i = first; i < end; i += inner) p[i] = exp(x[i] - largest) / total;
        // An ignored score is not looked at: it may be -inf, and 0 * inf is no number.
        loss[k] = t < 0 ? T(0)
                        : (log(total) - (x[first + t * inner] - largest)) * w[k];
    }
}

// gx_c = share * (p_c - 1 where c is the pixel's class), written over p.
template <typename T>
__global__ void cross_entropy_backward(const Index* classes, const T* shares, T* gx,
                                       Index n, Index C, Index inner) {
    FOR_EACH(k, n) {
        Index first = first_of(k, C, inner), t = classes[k];
        for (Index c = 0; c < C; c++) {
            gx[first + c * inner] = (gx[first + c * inner] - T(c == t)) * shares[k];
        }
    }
}
