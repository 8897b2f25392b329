namespace PyDebug.Engine;

/// <summary>What was found about one thing that may stop a question.</summary>
/// <param name="Check">What was looked at, in one word.</param>
/// <param name="Status">One of the four below.</param>
/// <param name="Detail">What was found.</param>
/// <param name="Remedy">What to do about it; empty where nothing is to be done.</param>
/// <param name="For">The question that it is about; empty for all of them.</param>
internal sealed record Finding(string Check, string Status, string Detail, string Remedy = "", string For = "")
{
    /// <summary>Nothing is in the way.</summary>
    public const string Pass = nameof(Pass);

    /// <summary>The question cannot be asked.</summary>
    public const string Fail = nameof(Fail);

    /// <summary>It can be asked, with less or at a price.</summary>
    public const string Warning = nameof(Warning);

    /// <summary>It cannot be told from here.</summary>
    public const string Unknown = nameof(Unknown);

    /// <summary>The failure whose advice is the remedy; null where that is written here.</summary>
    public EngineException? Cause { get; init; }
}
