using System;
using System.Collections.Generic;
using System.Text;

namespace PyDebug.Engine;

/// <summary>A command to run in a container, with its three streams and no terminal.</summary>
internal sealed class ExecRequest
{
    public required string Namespace { get; init; }

    public required string PodName { get; init; }

    public required string Container { get; init; }

    public required IReadOnlyList<string> Command { get; init; }

    public string Path
    {
        get
        {
            StringBuilder path = new();
            path.Append($"/api/v1/namespaces/{Uri.EscapeDataString(Namespace)}");
            path.Append($"/pods/{Uri.EscapeDataString(PodName)}/exec");
            path.Append($"?container={Uri.EscapeDataString(Container)}&stdin=true&stdout=true&stderr=true&tty=false");
            foreach (string argument in Command)
            {
                path.Append("&command=").Append(Uri.EscapeDataString(argument));
            }

            return path.ToString();
        }
    }
}
