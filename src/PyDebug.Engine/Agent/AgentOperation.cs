using System.Linq;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PyDebug.Engine;

/// <summary>One thing that the agent can be asked.</summary>
/// <param name="Module">The agent's module that answers it, within the agent's package.</param>
/// <param name="Needs">The bytes of memory that it takes beside the agent itself.</param>
/// <param name="Words">What needs them.</param>
/// <param name="More">What it takes where a flag of the request is set, or its mode or method is this one.</param>
internal sealed record AgentOperation(string Module, long Needs, string Words, params (string Asked, long Needs)[] More)
{
    /// <summary>The bytes that a request takes beside the agent itself.</summary>
    public long NeedsOf(JsonObject body)
        => More.Where(m => IsAsked(body, m.Asked)).Select(m => m.Needs).Append(Needs).Max();

    private static bool IsAsked(JsonObject body, string word)
        => body[word]?.GetValueKind() == JsonValueKind.True
            || new[] { "mode", "method" }.Any(name => body[name]?.GetValueKind() == JsonValueKind.String
                && (string?)body[name] == word);
}
