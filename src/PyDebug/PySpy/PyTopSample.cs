using System;
using System.Globalization;
using PyDebug.Internal;

namespace PyDebug;

/// <summary>
/// One function's part of a short interval, as <c>Invoke-PySpy -Top</c> shows one interval after the other.
/// </summary>
public sealed partial record PyTopSample : IOfPod
{
    internal PyTopSample()
    {
    }

    /// <summary>The pod's namespace.</summary>
    public string Namespace { get; internal init; } = "";

    /// <summary>The pod's name.</summary>
    public string PodName { get; internal init; } = "";

    /// <summary>The application's container.</summary>
    public string ContainerName { get; internal init; } = "";

    /// <summary>The node that the pod runs on.</summary>
    public string? NodeName { get; internal init; }

    /// <summary>The process in the container's PID namespace.</summary>
    public int ProcessId { get; internal init; }

    /// <summary>When the interval ended, in UTC by this machine's clock.</summary>
    public DateTime Timestamp { get; internal init; }

    /// <summary>The interval's number, from 1.</summary>
    public int Interval { get; internal init; }

    /// <summary>How long the interval was, in seconds.</summary>
    public double IntervalSeconds { get; internal init; }

    /// <summary>The function's name.</summary>
    public string Name { get; internal init; } = "";

    /// <summary>The source file as the interpreter knows it.</summary>
    public string FileName { get; internal init; } = "";

    /// <summary>The function's busiest line; null where it is not known.</summary>
    public int? Line { get; internal init; }

    /// <summary>Time in the function itself in per cent of the interval. Two busy threads make 200.</summary>
    public double OwnPercent { get; internal init; }

    /// <summary>Time in the function and what it called, in per cent of the interval.</summary>
    public double TotalPercent { get; internal init; }

    /// <summary>Time in the function itself since the first interval, in seconds.</summary>
    public double OwnSeconds { get; internal init; }

    /// <summary>Time in the function and what it called since the first interval, in seconds.</summary>
    public double TotalSeconds { get; internal init; }

    /// <summary>The function as <c>61 % 80 % hot_loop (app.py:22)</c>.</summary>
    /// <returns>One line that is safe to show.</returns>
    public override string ToString()
    {
        string frame = FrameText.One(new StackFrame { Name = Name, FileName = FileName, Line = Line });
        return string.Create(CultureInfo.InvariantCulture, $"{OwnPercent:0} % {TotalPercent:0} % {frame}");
    }
}
