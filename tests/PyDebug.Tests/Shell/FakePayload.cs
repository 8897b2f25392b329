using System;
using System.Collections.Concurrent;
using System.IO;
using System.Text;
using PyDebug.Commands;

namespace PyDebug.Tests.Module;

/// <summary>
/// Payloads as a build would have made them: their manifests, which are a part of the assembly there.
/// </summary>
internal static class FakePayload
{
    private static readonly ConcurrentDictionary<string, string> s_manifests = new(StringComparer.Ordinal);

    /// <summary>Has the module know a payload.</summary>
    public static void Write(string name, string manifest)
    {
        s_manifests[name] = manifest;
        PayloadManifest.Open = other => s_manifests.TryGetValue(other, out string? text)
            ? new MemoryStream(Encoding.UTF8.GetBytes(text)) : null;
    }

    /// <summary>The manifest of a py-spy.</summary>
    public static void WritePySpy() => Write("py-spy", """{"version":"0.4.3","sha256":{"x86_64":"00"}}""");
}
