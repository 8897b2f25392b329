using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>Makes records of the agent's frames.</summary>
internal static class FrameParser
{
    /// <summary>The most frames of one stack that are kept; CPython's recursion ends long before.</summary>
    public const int MostFrames = 50_000;

    /// <summary>The frames of a list, in its order.</summary>
    public static List<StackFrame> Parse(JsonElement item, string name)
    {
        List<StackFrame> frames = [];
        foreach (JsonElement frame in item.Items(name, MostFrames))
        {
            int? line = frame.Integer("line");
            frames.Add(new StackFrame
            {
                Name = frame.Text("name") ?? "",
                FileName = frame.Text("file") ?? "",
                Line = line > 0 ? line : null,
                FileChanged = frame.Flag("changed") ?? false,
            });
        }

        return frames;
    }
}
