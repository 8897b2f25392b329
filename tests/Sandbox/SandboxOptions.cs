using System;
using System.Globalization;
using System.IO;

namespace PyDebug.Sandbox;

/// <summary>The command line.</summary>
internal sealed record SandboxOptions
{
    public const string Usage = """
        Serves the part of the Kubernetes API that PyDebug uses, on loopback, over containers run with runc.

          Sandbox --images DIR --state DIR [--port 0] [--policy FILE] [--watch-stdin]
          Sandbox --clean DIR

          --images DIR    images: NAME/rootfs and NAME/config.json are pydebug.test/NAME:1
          --state DIR     where everything is kept; DIR/kubeconfig and DIR/ready are written once it serves
          --port N        the port; 0 takes a free one
          --policy FILE   further users: {"users":[{"name":"x","rules":[{"verbs":[],"resources":[],"namespaces":[]}]}]};
                          each gets DIR/kubeconfig-NAME (without a file: viewer and debugger)
          --watch-stdin   end when standard input does
          --clean DIR     remove what a sandbox left in DIR that was killed
        """;

    public string Images { get; init; } = "";

    public string State { get; init; } = "";

    public int Port { get; init; }

    public string? Policy { get; init; }

    public bool WatchInput { get; init; }

    public bool Clean { get; init; }

    /// <exception cref="ArgumentException">What is wrong with the arguments.</exception>
    public static SandboxOptions Parse(string[] arguments)
    {
        SandboxOptions options = new();
        for (int i = 0; i < arguments.Length; i++)
        {
            string name = arguments[i];
            string Value() => ++i < arguments.Length
                ? arguments[i]
                : throw new ArgumentException($"{name} needs a value");
            options = name switch
            {
                "--images" => options with { Images = Path.GetFullPath(Value()) },
                "--state" => options with { State = Path.GetFullPath(Value()) },
                "--clean" => options with { State = Path.GetFullPath(Value()), Clean = true },
                "--policy" => options with { Policy = Path.GetFullPath(Value()) },
                "--port" => options with { Port = int.Parse(Value(), CultureInfo.InvariantCulture) },
                "--watch-stdin" => options with { WatchInput = true },
                _ => throw new ArgumentException($"unknown argument {name}"),
            };
        }

        if (options.State.Length == 0 || (!options.Clean && options.Images.Length == 0))
        {
            throw new ArgumentException("--images and --state are needed");
        }

        return options;
    }
}
