// Local response normalization: each thread does its own elements, i of channel c.
//
// A window holds the channels from c - before to c + after, as far as there are any;
// their numbers for one pixel lie `inner` = H * W apart.

// The element of channel `other` at the pixel of element i.
#define AT(other) (i + ((other) - c) * inner)

// s = k + factor * sum of x^2 over the window, and y = x * s^-beta.
template <typename T>
__global__ void response_norm(const T* x, T* s, T* y, Index n, Index C, Index inner,
                              Index before, Index after, T factor, T beta, T k) {
    FOR_EACH(i, n) {
        Index c = i / inner % C, last = min(c + after, C - 1);
        T squares = 0;
        for (Index other = max(c - before, Index(0)); other <= last; other++) {
            squares += x[AT(other)] * x[AT(other)];
        }
        s[i] = k + factor * squares;
        y[i] = x[i] * pow(s[i], -beta);
    }
}

// gx_c = direct_c - slope * x_c * sum of direct_o x_o / s_o over the channels o in whose
// window c lies: the ends are swapped. direct = gy * s^-beta, slope = 2 * factor * beta.
template <typename T>
__global__ void response_norm_backward(const T* x, const T* s, const T* direct, T* gx,
                                       Index n, Index C, Index inner, Index before,
                                       Index after, T slope) {
    FOR_EACH(i, n) {
        Index c = i / inner % C, last = min(c + before, C - 1);
        T total = 0;
        for (Index other = max(c - after, Index(0)); other <= last; other++) {
            total += direct[AT(other)] * x[AT(other)] / s[AT(other)];
        }
        gx[i] = direct[i] - slope * x[i] * total;
    }
}
