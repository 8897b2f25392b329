using System.Collections.Generic;
using System.Text.Json.Nodes;

namespace PyDebug.Sandbox.Admission;

internal static class PodSecurityChecks
{
    public static IEnumerable<string> Run(string level, JsonObject pod) => [];
}
