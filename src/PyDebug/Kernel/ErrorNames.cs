using System.Collections.Generic;
using System.Globalization;

namespace PyDebug.Tools.Bpftrace;

/// <summary>The names of Linux's error numbers, those that system calls on files and sockets give.</summary>
internal static class ErrorNames
{
    private static readonly Dictionary<long, string> s_names = new()
    {
        [1] = "EPERM", [2] = "ENOENT", [4] = "EINTR", [5] = "EIO", [6] = "ENXIO", [9] = "EBADF", [11] = "EAGAIN",
        [12] = "ENOMEM", [13] = "EACCES", [14] = "EFAULT", [16] = "EBUSY", [17] = "EEXIST", [20] = "ENOTDIR",
        [21] = "EISDIR", [22] = "EINVAL", [23] = "ENFILE", [24] = "EMFILE", [26] = "ETXTBSY", [27] = "EFBIG",
        [28] = "ENOSPC", [30] = "EROFS", [32] = "EPIPE", [36] = "ENAMETOOLONG", [40] = "ELOOP", [104] = "ECONNRESET",
        [110] = "ETIMEDOUT", [111] = "ECONNREFUSED", [113] = "EHOSTUNREACH", [115] = "EINPROGRESS", [116] = "ESTALE",
        [122] = "EDQUOT",
    };

    /// <summary>The name of a number; the number where it has none here.</summary>
    public static string Of(long number)
        => s_names.TryGetValue(number, out string? name)
            ? name
            : string.Create(CultureInfo.InvariantCulture, $"error {number}");
}
