using System.Linq;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>
/// What a debug container runs: a command that takes its program from a variable. An argument would cost many times as
/// much of the pod's memory, see keeper.py.
/// </summary>
internal sealed record KeeperProgram(string Command, string Text)
{
    /// <summary>The variable that has the text.</summary>
    public const string Variable = "PYDEBUG_KEEPER";

    /// <summary>Whether a container has the text, and nothing else under the variable's name.</summary>
    public bool IsIn(JsonObject container)
        => KubeJson.Objects(container, "env").Where(e => KubeJson.Text(e, "name") == Variable).ToArray() is [var one]
            && KubeJson.Text(one, "value") == Text
            && one["valueFrom"] is null;
}
