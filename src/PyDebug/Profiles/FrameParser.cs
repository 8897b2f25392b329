using System.Collections.Generic;
using System.Text.Json;

namespace PyDebug.Internal;

/// <summary>Makes records of the agent's frames.</summary>
internal static class FrameParser
{
    /// <summary>The most frames of one stack that are kept; CPython's recursion ends long before.</summary>
    public const int MostFrames = 50_000;

    private const int LargestTable = 1_000_000;

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

    /// <summary>The frames of a table, each a list of name, file and line; null where one is none.</summary>
    public static List<StackFrame>? Table(JsonElement item)
    {
        List<StackFrame> frames = [];
        foreach (JsonElement frame in item.Items("frames", LargestTable))
        {
            if (frame.ValueKind != JsonValueKind.Array || frame.GetArrayLength() != 3)
            {
                return null;
            }

            int? line = Json.Integer(frame[2]);
            frames.Add(new StackFrame
            {
                Name = Json.String(frame[0]) ?? "",
                FileName = Json.String(frame[1]) ?? "",
                Line = line > 0 ? line : null,
            });
        }

        return frames;
    }

    /// <summary>A stack whose frames are numbers in a table; null where a number points nowhere.</summary>
    public static StackFrame[]? Stack(JsonElement entry, List<StackFrame> table) => Stack(entry, "frames", table);

    /// <summary>The stack of that name.</summary>
    public static StackFrame[]? Stack(JsonElement entry, string name, List<StackFrame> table)
    {
        List<StackFrame> stack = [];
        foreach (JsonElement number in entry.Items(name, MostFrames))
        {
            if (Json.Integer(number) is not int index || index < 0 || index >= table.Count)
            {
                return null;
            }

            stack.Add(table[index]);
        }

        return [.. stack];
    }
}
